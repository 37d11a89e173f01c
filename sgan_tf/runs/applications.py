"""Makes models of `keras.applications` from their names."""

import difflib
import inspect
import pathlib
import warnings
from collections.abc import Sequence

import keras
import numpy as np

from sgan_tf.config.validation import INPUT_RANGES, ConfigError
from sgan_tf.models.encoder.adapters import ExpectedImages
from sgan_tf.models.encoder.classifier_graph import brief


def application(
    name: str, weights: str, image_shape: Sequence[int], num_classes: int
) -> tuple[keras.Model, str]:
    """Makes a model of `keras.applications`.

    Args:
        name: String. The model's name, such as `mobilenet_v2`. Case and underscores do not matter.
        weights: String. Path of a file of weights for images of `image_shape` and `num_classes`
            classes, or `imagenet`, whose weights Keras downloads.
        image_shape: Tuple of integers `(H, W, C)`. Shape of the images, in pixels.
        num_classes: Integer. Number of classes, K.

    Returns:
        Tuple `(model, input_range)`. `input_range` is the name in `INPUT_RANGES` of the values that
        the model expects of images.

    Raises:
        ConfigError: If there is no such model, or if its weights cannot be loaded.
    """
    make, input_range = _maker(name)
    height, width, _ = image_shape
    settings = {"input_shape": (max(height, 32), max(width, 32), 3), "classes": num_classes}
    settings = {} if weights == "imagenet" else settings
    if settings and not pathlib.Path(weights).is_file():
        raise ConfigError(f"`encoder_weights`: {weights} is no file, nor imagenet")
    try:
        with warnings.catch_warnings(action="ignore"):  # one per layer that does not fit
            return make(weights=weights, **settings), input_range
    except Exception as error:  # whatever the network stack and HDF5 raise
        raise ConfigError(
            f"`encoder_weights`: {name} cannot have the weights {weights} ({brief(error)})"
        ) from error


def _maker(name):
    """Returns a function of `keras.applications` and the name of its input range."""
    catalogue = vars(keras.applications)
    makers = {n.lower(): n for n, thing in catalogue.items() if inspect.isfunction(thing)}
    maker = makers.get(name.replace("_", "").lower())
    if maker is None:
        near = difflib.get_close_matches(name.replace("_", "").lower(), makers, 3, 0.5)
        hint = f"; did you mean {' or '.join(makers[n] for n in near)}?" if near else ""
        raise ConfigError(
            f"`encoder`: {name} is neither a file nor a model of keras.applications{hint}"
        )
    modules = [m for m in catalogue.values() if inspect.ismodule(m) and hasattr(m, maker)]
    prepare = next(m.preprocess_input for m in modules if hasattr(m, "preprocess_input"))
    probe = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    for input_range in INPUT_RANGES:
        expected = np.asarray(ExpectedImages(probe.shape[1:], input_range)(probe))
        if np.allclose(prepare(255 * probe), expected, atol=1e-3):
            return catalogue[maker], input_range
    raise ConfigError(f"`encoder_input`: say what {name} expects: {', '.join(INPUT_RANGES)}")
