"""A trained stack as data: the folder that `save` writes, and how it is read back.

`model.safetensors` holds what a stack in use reads, and nothing else: the encoder E, each level's
generator that samples are drawn with (the average where there is one), and of each discriminator
the trunk with the head of Q_i, which estimates noise and shares the trunk with D_i. D's logits,
the generators that were averaged and the optimizers stay in the run folder. `config.json` says how
the networks are built, `metadata.json` what they are, `README.md` the same for people. Reading a
folder runs no code out of it.
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

if TYPE_CHECKING:  # programs ask for names before TensorFlow is imported
    from sgan_tf.models.stacked_gan import StackedGAN

FORMAT = 1  # of the folder
WEIGHTS, CONFIG, METADATA, CARD = "model.safetensors", "config.json", "metadata.json", "README.md"
FILES = (WEIGHTS, CONFIG, METADATA, CARD)
DTYPES = ("float16", "float32")
LARGEST = float(np.finfo(np.float16).max)


class SavedError(UserError):
    """A saved stack that cannot be written or read; the message names the file and says why."""


def networks_in_use(stack: "StackedGAN") -> dict:
    """Returns `{group: Keras variables}`: all that sampling, decoding and inferring noise read.

    Args:
        stack: A stack of networks that `build` made.
    """
    groups = {"encoder": stack.encoder.stages}
    for level in stack.levels:
        groups[f"generator{level.index}"] = [level.sampler]
        d = level.discriminator
        groups[f"posterior{level.index}"] = [d.trunk, d.posterior]
    return {group: [v for n in networks for v in n.weights] for group, networks in groups.items()}


def remember(stack: "StackedGAN", training: dict) -> None:
    """Keeps with a stack what is known of the training of the weights that it has now."""
    stack.facts = {"training": training, "digest": digest(stack)}


def remembered(stack: "StackedGAN") -> dict:
    """Returns what was kept with a stack; nothing where its weights have changed since."""
    same = stack.facts and stack.facts["digest"] == digest(stack)
    return stack.facts["training"] if same else {}


def digest(stack: "StackedGAN") -> int:
    """Returns a checksum of the weights that a stack in use reads."""
    crc = 0
    for key, array in named_arrays(networks_in_use(stack)).items():
        crc = zlib.crc32(array.data, zlib.crc32(key.encode(), crc))
    return crc


def holds_stack(folder: str | os.PathLike) -> bool:
    """Tells whether a folder looks like one that `save` wrote, whole or not."""
    there = [(pathlib.Path(folder) / name).exists() for name in (WEIGHTS, CONFIG, METADATA)]
    return there[0] or all(there[1:])


def write(folder: pathlib.Path, stack: "StackedGAN", training: dict, dtype: str) -> dict:
    """Writes weights, configuration and metadata into an empty folder.

    Args:
        folder: It exists.
        stack: A `StackedGAN` with a `recipe`.
        training: What is known of its training.
        dtype: Of the weights, one of `DTYPES`. Arrays beyond float16's range stay float32.

    Returns:
        The metadata.
    """
    from safetensors.numpy import save

    assert stack.recipe is not None  # which `save` has checked
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
    """Returns what `metadata.json` of a saved stack holds.

    Raises:
        SavedError: when it is missing, damaged or of a newer version.
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
    """Loads the stack of a folder that `save` wrote.

    Its samples, decoded images and estimates are those of the stack that was saved, but for the
    rounding of weights. Discriminators cannot judge: their last layers have initial weights.

    Args:
        folder: The folder.
        precision: As in `load`.

    Raises:
        SavedError: when a file is missing or damaged, or the folder is of a newer version.
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
    # No average is built: the generators are given its weights.
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
