"""A classifier trained on ImageNet, for scores by a network that does not know the data set."""
