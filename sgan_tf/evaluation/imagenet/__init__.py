"""A measure that does not know the data set: a classifier trained on ImageNet."""
