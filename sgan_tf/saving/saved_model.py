"""`Exported`: an export behind methods of `StackedGAN`, as far as its signatures go."""

import json
import os
import pathlib
import zlib

import numpy as np
import tensorflow as tf

from sgan_tf.errors import UserError, first_line, shown
from sgan_tf.models import arguments
from sgan_tf.models.batched import BATCH, in_batches
from sgan_tf.models.stacked_gan import Decomposition

GRAPH = "saved_model.pb"
SIGNATURES = ("serving_default", "sample_seeded", "decode", "encode", "variations")
MOST_SEED = 2**31


def of_feature(name: str, level: int) -> str:
    """Returns what a signature or tensor is called for h_level: h_1, which alone the first
    exports had, gives `features` and `render`; h_2 gives `features2` and `render2`."""
    return name if level == 1 else f"{name}{level}"


class ExportedError(UserError):
    """An export that cannot be used; the message names it and says why."""


def find(path: str | os.PathLike) -> pathlib.Path | None:
    """Returns the folder of an export's version: the path, or the highest in it; None without."""
    path = pathlib.Path(path)
    if (path / GRAPH).exists():
        return path
    versions = [p.parent for p in path.glob(f"*/{GRAPH}") if p.parent.name.isdecimal()]
    return max(versions, key=lambda version: int(version.name), default=None)


class Exported:
    """An export, with the methods of `StackedGAN` that its signatures answer.

    It samples, decodes and infers; of a stack of more than two levels, exports of version 0.1 know
    h_1 alone of the features. It cannot be trained, saved or exported, gives no noise of a seed
    (`StackedGAN.noise`), and its seeds give other images than the stack's. A SavedModel is a
    program of TensorFlow's operations, which can read and write files: load none that you would
    not run.

    Args:
        path: Folder of a version, written by `export.py`.

    Attributes:
        class_names: K strings.
        image_shape: `(H, W, C)`.
        facts: What its `metadata.json` holds.

    Raises:
        ExportedError: when a file is missing or damaged, or the signatures are not ours.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)
        self.facts = self._metadata()
        try:
            self._model = tf.saved_model.load(str(self.path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = first_line(error)
            raise ExportedError(f"{shown(self.path)} is damaged ({reason})") from error
        signatures = self._model.signatures
        lacking = [name for name in SIGNATURES if name not in signatures]
        if lacking:
            raise ExportedError(
                f"{shown(self.path)} is no export of sgan_tf: it has no signature {lacking[0]}"
            )
        self._signatures = signatures
        self.class_names = list(self.facts["data"]["class_names"])
        self.image_shape = tuple(self.facts["data"]["image_shape"])
        inputs = signatures["decode"].structured_input_signature[1]
        self._z_dims = [inputs[f"z{i}"].shape[1] for i in range(len(inputs) - 1)]
        outputs = signatures["encode"].structured_outputs
        names = [of_feature("features", level) for level in range(1, len(self._z_dims))]
        self._features = {  # `{level: (name, shape)}` of each h_level
            level: (name, tuple(outputs[name].shape[1:]))
            for level, name in enumerate(names, start=1)
            if name in outputs
        }

    def sample(self, labels=None, seed: int | None = None, first: int = 0, count=None):
        """As `StackedGAN.sample`, of seeds in [0, 2^31); the images of a seed are others."""
        labels = arguments.labels_or_count(labels, count, len(self.class_names)).astype(np.int64)
        if seed is None:
            return self._call("serving_default", labels=labels)["images"]
        return self._call("sample_seeded", labels=labels, seeds=_seeds(seed, first, len(labels)))[
            "images"
        ]

    def decode(self, condition, noise, top: int | None = None):
        """As `StackedGAN.decode`."""
        top = self._top(top)
        if top == len(self._z_dims) - 1:
            name, inputs = "decode", {"labels": self._labels(condition)}
        else:
            feature, shape = self._features[top + 1]
            inputs = {feature: arguments.rows("condition", condition, shape)}
            name = of_feature("render", top + 1)
        (rows,) = map(len, inputs.values())
        checked = arguments.noise(noise, self._z_dims[: top + 1], rows)
        noise = {f"z{i}": z for i, z in enumerate(checked)}
        return self._call(name, **inputs, **noise)["images"]

    def infer_noise(self, images) -> Decomposition:
        """As `StackedGAN.infer_noise`."""
        known = self._call("encode", images=self._images(images))
        features = [known[name] for name, _ in self._features.values()]
        noise = [known[f"z{i}"] for i in range(len(self._z_dims))]
        return Decomposition(features, known["probabilities"], noise)

    def reconstruct(self, images, level: int = 0):
        """As `StackedGAN.reconstruct`."""
        top, known = self._top(level), self.infer_noise(images)
        labels = np.argmax(known.probabilities, -1)
        upper = labels if top == len(self._z_dims) - 1 else known.features[top]
        return self.decode(upper, known.noise, top)

    def variations(self, images, n: int, seed: int | None = None):
        """As `StackedGAN.variations`."""
        images, n = self._images(images), arguments.integer("n", n, 0, 2**31)
        if seed is None:
            seed = np.random.default_rng().integers(MOST_SEED)
        repeated = np.repeat(images, n, axis=0)
        seeds = _seeds(seed, 0, len(repeated))
        varied = self._call("variations", images=repeated, seeds=seeds)["images"]
        return varied.reshape(len(images), n, *self.image_shape)

    def digest(self) -> int:
        """Returns a checksum of the weights."""
        files = sorted((self.path / "variables").iterdir())
        return zlib.crc32(b"".join(file.read_bytes() for file in files))

    def _labels(self, labels):
        return arguments.labels(labels, len(self.class_names)).astype(np.int64)

    def _images(self, images):
        return arguments.images(images, self.image_shape)

    def _top(self, level):
        highest = len(self._z_dims) - 1
        level = highest if level is None else arguments.integer("level", level, 0, highest + 1)
        if level != highest and level + 1 not in self._features:
            raise ValueError(
                f"level must be 0 or {highest} of this export, not {level}; export the run again"
            )
        return level

    def _call(self, name, **inputs):
        """Calls a signature on slices of its inputs and joins what it returns."""
        size = min(BATCH, self.facts.get("max_batch", BATCH))

        def call(*parts):
            return self._signatures[name](**dict(zip(inputs, parts)))

        return in_batches(call, list(inputs.values()), size)

    def _metadata(self):
        path = self.path / "assets" / "metadata.json"
        try:
            facts = json.loads(path.read_bytes())
            len(facts["data"]["class_names"]), tuple(facts["data"]["image_shape"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise ExportedError(
                f"{path} cannot be read ({reason}); export the run again"
            ) from error
        return facts


def _seeds(seed, first, count):
    """A seed for each row out of (seed, its number): no two of them are the same."""
    seed = arguments.integer("seed", seed, 0, MOST_SEED)
    first = arguments.integer("first", first, 0, 2**32 - count)
    return (np.int64(seed) << 32) + first + np.arange(count, dtype=np.int64)
