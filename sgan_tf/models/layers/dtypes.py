"""Data types of layers that cast their inputs themselves."""

# Weights stay float32, and inputs are not cast.
UNCAST = {"dtype": "float32", "autocast": False}
