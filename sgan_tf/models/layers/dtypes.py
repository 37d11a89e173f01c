"""Data types of layers that cast for themselves."""

# Weights stay float32, and inputs are not cast.
UNCAST = {"dtype": "float32", "autocast": False}
