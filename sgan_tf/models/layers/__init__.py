"""Layers that Keras does not have, or has in a form that does not fit this package."""
