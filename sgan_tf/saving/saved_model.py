"""`SavedModelSampler`: an export with the methods of `StackSampler`."""

import json
import os
import pathlib
import zlib

import numpy as np
import tensorflow as tf

from sgan_tf.errors import UserError, first_line, shown
from sgan_tf.models.batched import BATCH
from sgan_tf.models.sampling import Decomposition, StackSampler
from sgan_tf.saving import signatures

GRAPH = "saved_model.pb"
NEEDED = (signatures.SAMPLE_SEEDED, signatures.DECODE, signatures.ENCODE, signatures.VARIATIONS)


class SavedModelError(UserError):
    """Raised if an export cannot be used. The message names the file and says why."""


def find(path: str | os.PathLike) -> pathlib.Path | None:
    """Finds the folder of an export's version.

    Args:
        path: String or path. The folder of a version, or the folder that holds the versions.

    Returns:
        `pathlib.Path` of the version, the highest if there are several; None if there is none.
    """
    path = pathlib.Path(path)
    if (path / GRAPH).exists():
        return path
    versions = [p.parent for p in path.glob(f"*/{GRAPH}") if p.parent.name.isdecimal()]
    return max(versions, key=lambda version: int(version.name), default=None)


class SavedModelSampler(StackSampler):
    """Samples from an export, with the methods of `StackSampler`.

    Seeds lie in [0, 2^31), and give other images than the same seeds in the exported stack. An
    export that version 0.1 made of a stack with more than two levels has only the features h_1. An
    export cannot be trained, saved or exported. A SavedModel is a program of TensorFlow operations,
    which can read and write files: load only a SavedModel that you would run as a program.

    Args:
        path: String or path. Folder of a version, written by `export.py`.

    Attributes:
        facts: Dict. The content of the export's `metadata.json`.

    Raises:
        SavedModelError: If a file is missing or damaged, or the signatures are not those of an
            `sgan_tf` export.
    """

    seeds = (0, 2**31)
    most_images = 2**32

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)
        self.facts = self._metadata()
        try:
            self._model = tf.saved_model.load(str(self.path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = first_line(error)
            raise SavedModelError(f"{shown(self.path)} is damaged ({reason})") from error
        functions = self._functions = self._model.signatures
        lacking = [name for name in NEEDED if name not in functions]
        if lacking:
            raise SavedModelError(
                f"{shown(self.path)} is no export of sgan_tf: it has no signature {lacking[0]}"
            )
        self.class_names = list(self.facts["data"]["class_names"])
        self.image_shape = tuple(self.facts["data"]["image_shape"])
        self.max_batch = self.facts.get("max_batch", BATCH)
        inputs = functions[signatures.DECODE].structured_input_signature[1]
        self.z_dims = [inputs[signatures.noise(i)].shape[1] for i in range(len(inputs) - 1)]
        outputs = functions[signatures.ENCODE].structured_outputs
        self.feature_shapes = {}
        for level in range(1, len(self.z_dims)):
            if (name := signatures.features(level)) in outputs:
                self.feature_shapes[level] = tuple(outputs[name].shape[1:])

    def digest(self) -> int:
        """Returns a checksum (CRC-32) of the weights, an integer."""
        files = sorted((self.path / "variables").iterdir())
        return zlib.crc32(b"".join(file.read_bytes() for file in files))

    # The functions that `StackSampler` needs

    def _sample(self, seed, numbers, labels):
        inputs = {signatures.LABELS: labels, signatures.SEEDS: _seeds(seed, numbers)}
        return self._images(signatures.SAMPLE_SEEDED, inputs)

    def _decode(self, top, condition, *noise):
        inputs = {signatures.noise(i): z for i, z in enumerate(noise)}
        if top == len(self.z_dims) - 1:
            return self._images(signatures.DECODE, {signatures.LABELS: condition, **inputs})
        name = signatures.features(top + 1)
        return self._images(signatures.render(top + 1), {name: condition, **inputs})

    def _encode(self, images):
        known = self._functions[signatures.ENCODE](**{signatures.IMAGES: images})
        features = [known[signatures.features(level)] for level in self.feature_shapes]
        noise = [known[signatures.noise(i)] for i in range(len(self.z_dims))]
        return Decomposition(features, known[signatures.PROBABILITIES], noise)

    def _vary(self, images, n, seed, first):
        def vary(images, numbers):
            inputs = {signatures.IMAGES: images, signatures.SEEDS: _seeds(seed, numbers)}
            return self._images(signatures.VARIATIONS, inputs)

        repeated = np.repeat(images, n, axis=0)
        return self._batched(vary, [repeated, np.arange(first, first + len(repeated))])

    def _images(self, name, inputs):
        return self._functions[name](**inputs)[signatures.IMAGES]

    def _level(self, name, level):
        highest = len(self.z_dims) - 1
        level = super()._level(name, level)
        if level != highest and level + 1 not in self.feature_shapes:
            raise ValueError(
                f"{name} must be 0 or {highest} of this export, not {level}; export the run again"
            )
        return level

    def _metadata(self):
        path = self.path / "assets" / "metadata.json"
        try:
            facts = json.loads(path.read_bytes())
            len(facts["data"]["class_names"]), tuple(facts["data"]["image_shape"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise SavedModelError(
                f"{path} cannot be read ({reason}); export the run again"
            ) from error
        return facts


def _seeds(seed, numbers):
    """Returns a seed for each row, int64 `[N]`, distinct for every pair (seed, number)."""
    return tf.constant(seed << 32, tf.int64) + numbers
