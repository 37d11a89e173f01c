"""A trained stack as data: the folder that `save` writes, and how it is read back.

`model.safetensors` holds only the weights that a stack in use reads: the encoder E, the generator
of each level that draws the samples (the moving average if there is one), and of each discriminator
the trunk with the head of Q_i, which estimates the noise and shares the trunk with D_i. The logits
of D, the generators that were averaged and the optimizers stay in the run folder. `config.json`
says how the networks are built, `metadata.json` describes them for programs, and `README.md` for
people. Reading a folder runs no code from it.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import zlib
from typing import TYPE_CHECKING

import numpy as np

from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError
from sgan_tf.errors import UserError, first_line
from sgan_tf.runs.checkpoint import assign, named_arrays
from sgan_tf.runs.environment import versions

if TYPE_CHECKING:  # programs list the names before they import TensorFlow
    from sgan_tf.models.stacked_gan import StackedGAN

FORMAT = 1  # version of the folder's format
WEIGHTS, CONFIG, METADATA, CARD = "model.safetensors", "config.json", "metadata.json", "README.md"
FILES = (WEIGHTS, CONFIG, METADATA, CARD)
DTYPES = ("float16", "float32")
LARGEST = float(np.finfo(np.float16).max)


class SavedError(UserError):
    """Raised if a saved stack cannot be written or read. The message says which file and why."""


def networks_in_use(stack: "StackedGAN") -> dict:
    """Returns all variables that sampling, decoding and inferring noise read.

    Args:
        stack: `StackedGAN`. Its networks must come from `build`.

    Returns:
        Dict `{group: list of Keras variables}`.
    """
    groups = {"encoder": stack.encoder.stages}
    for level in stack.levels:
        groups[f"generator{level.index}"] = [level.sampler]
        d = level.discriminator
        groups[f"posterior{level.index}"] = [d.trunk, d.posterior]
    return {group: [v for n in networks for v in n.weights] for group, networks in groups.items()}


def remember(stack: "StackedGAN", training: dict) -> None:
    """Stores facts about the training of a stack's current weights in the stack.

    Args:
        stack: `StackedGAN`. Its attribute `facts` is set.
        training: Dict. The facts, as plain values.
    """
    stack.facts = {"training": training, "digest": digest(stack)}


def remembered(stack: "StackedGAN") -> dict:
    """Returns the facts about the training that `remember` stored in a stack.

    Args:
        stack: `StackedGAN`. The stack.

    Returns:
        Dict. The facts; empty if there are none or the weights have changed since.
    """
    same = stack.facts and stack.facts["digest"] == digest(stack)
    return stack.facts["training"] if same else {}


def digest(stack: "StackedGAN") -> int:
    """Returns a checksum of the weights that a stack in use reads.

    Args:
        stack: `StackedGAN`. Its networks must come from `build`.

    Returns:
        Integer. The CRC-32 of the names and values.
    """
    crc = 0
    for key, array in named_arrays(networks_in_use(stack)).items():
        crc = zlib.crc32(array.data, zlib.crc32(key.encode(), crc))
    return crc


def holds_stack(folder: str | os.PathLike) -> bool:
    """Returns whether a folder looks like one that `save` wrote, complete or not.

    Args:
        folder: String or path. The folder, which need not exist.
    """
    there = [(pathlib.Path(folder) / name).exists() for name in (WEIGHTS, CONFIG, METADATA)]
    return there[0] or all(there[1:])


def write(folder: pathlib.Path, stack: "StackedGAN", training: dict, dtype: str) -> dict:
    """Writes weights, configuration and metadata into an empty folder.

    Args:
        folder: `pathlib.Path`. The folder, which must exist.
        stack: `StackedGAN`. It must have a `recipe`.
        training: Dict. Facts about its training, as plain values.
        dtype: String. Data type of the weights, one of `DTYPES`. Arrays with values beyond the
            range of float16 stay float32.

    Returns:
        Dict. The metadata, as written to `metadata.json`.
    """
    from safetensors.numpy import save

    assert stack.recipe is not None  # `save` has checked this
    arrays = {
        key: array if np.abs(array).max(initial=0) > LARGEST else array.astype(dtype)
        for key, array in named_arrays(networks_in_use(stack)).items()
    }
    content = save(arrays)
    metadata = {
        "format": FORMAT,
        "class_names": stack.class_names,
        "image_shape": list(stack.encoder.image_shape),
        "weights": {
            "dtype": dtype,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "versions": versions(),
        "training": training,
    }
    (folder / WEIGHTS).write_bytes(content)
    (folder / CONFIG).write_text(stack.recipe.to_json())
    (folder / METADATA).write_text(json.dumps(metadata, indent=2) + "\n")
    return metadata


def read_metadata(folder: str | os.PathLike) -> dict:
    """Reads the `metadata.json` of a saved stack.

    Args:
        folder: String or path. The folder that `save` wrote.

    Returns:
        Dict. The metadata.

    Raises:
        SavedError: If the file is missing, damaged or of a newer version.
    """
    path = pathlib.Path(folder) / METADATA
    try:
        metadata = json.loads(_content(path))
        if metadata["format"] > FORMAT:
            raise SavedError(
                f"{path} is of a newer version (format {metadata['format']}, here {FORMAT}); "
                "install a newer sgan_tf"
            )
        len(metadata["class_names"]), tuple(metadata["image_shape"]), metadata["weights"]["sha256"]
        dict(metadata["training"])
    except (ValueError, LookupError, TypeError) as error:
        if isinstance(error, SavedError):
            raise
        reason = f"lacks {error}" if isinstance(error, KeyError) else first_line(error)
        raise _damaged(path, reason) from error
    return metadata


def read(folder: str | os.PathLike, precision: str = "float32") -> "StackedGAN":
    """Loads the stack from a folder that `save` wrote.

    Its samples, decoded images and noise estimates equal those of the saved stack, except for the
    rounding of weights. Its discriminators cannot judge images: their last layers have initial
    weights.

    Args:
        folder: String or path. The folder.
        precision: String. `"float32"` or `"bfloat16"`; see `load`. Defaults to `"float32"`.

    Returns:
        `StackedGAN`. The stack, with an encoder that is not trainable.

    Raises:
        SavedError: If a file is missing or damaged, or the folder is of a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    from sgan_tf.models.build import build

    folder, metadata = pathlib.Path(folder), read_metadata(folder)
    content, path = _content(folder / WEIGHTS), folder / WEIGHTS
    if hashlib.sha256(content).hexdigest() != metadata["weights"]["sha256"]:
        raise _damaged(path, f"its checksum is not the one in {METADATA}")
    try:
        config = Config.from_json(_content(folder / CONFIG).decode())
    except (ConfigError, UnicodeDecodeError) as error:
        raise SavedError(f"{folder / CONFIG} is {error}; get the folder again") from error
    # No moving average is built: the generators get its weights.
    levels = [dataclasses.replace(level, ema=0.0) for level in config.levels]
    built = dataclasses.replace(config, levels=levels, precision=precision)
    encoder, stack = build(built, tuple(metadata["image_shape"]), metadata["class_names"])
    try:
        arrays = {key: array.astype(np.float32) for key, array in load(content).items()}
    except SafetensorError as error:
        raise _damaged(path, first_line(error)) from error
    if misfit := assign(arrays, networks_in_use(stack)):
        raise _damaged(path, f"it does not fit the networks of {CONFIG}, first at {misfit}")
    encoder.trainable, stack.recipe = False, config
    remember(stack, metadata["training"])
    return stack


def _content(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise SavedError(
            f"{path} cannot be read ({error.strerror}); a saved stack is the files "
            f"{', '.join(FILES)}"
        ) from error


def _damaged(path, reason):
    return SavedError(f"{path} is damaged ({reason}); get the folder again")
