"""`Checkpoint`: the whole state of a stage in one file. This is the place to read how resume works.

A stage is resumed bit for bit because everything that its next step depends on is either in the
file, or a pure function of the step's number:

* in the file: the weights of the networks, batch normalisation's moving averages, the states of
  noise layers, the optimizers' slots and iterations, the step, and the sums of what was measured
  since the epoch began
* functions of the step: the order of the images and their flips and shifts (`batches`), the noise
  z of the generators (`AdversarialModel`, from the optimizers' iterations)

The file (safetensors) is written aside, flushed, and put in place by one rename, so it is there
whole or not at all, and the weights never disagree with the step. Checksums cover the arrays and
the metadata. Only finite numbers are ever saved: the last good checkpoint outlives a divergence.
"""

import json
import pathlib
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from sgan_tf.errors import UserError, first_line
from sgan_tf.utils.files import write_whole

FORMAT = "2"  # of the metadata; files of version 0.1.0 say none


class CheckpointError(UserError):
    """A checkpoint that cannot be used; the message names it and says what to do."""


class StageProgress(NamedTuple):
    """How far a stage is."""

    step: int = 0
    done: bool = False


class Checkpoint:
    """The checkpoint file of a stage.

    Args:
        path: Of the file, `pathlib.Path`; it need not exist.
        stage: The stage's name, for messages.

    Example:

    >>> import keras, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> checkpoint, weight = Checkpoint(folder / "g.safetensors", "level0"), keras.Variable([1.0])
    >>> checkpoint.save({"generator": [weight]}, step=7, done=False)
    >>> weight.assign([0.0]), checkpoint.resume({"generator": [weight]}, reported=0)[0]
    (..., 7)
    >>> weight.numpy()
    array([1.], dtype=float32)
    """

    def __init__(self, path: pathlib.Path, stage: str) -> None:
        self.path, self.stage = path, stage

    def progress(self) -> StageProgress:
        """Returns how far the stage is, out of the file's header alone.

        Raises:
            CheckpointError: when the header is damaged or the file is cut short.
        """
        if not self.path.exists():
            return StageProgress()
        metadata = self._metadata()
        return StageProgress(int(metadata["step"]), metadata["done"] == "1")

    def save(
        self, state: dict, step: int, done: bool, totals: Iterable[float] = (), config: str = ""
    ) -> None:
        """Replaces the file.

        Args:
            state: `{group: Keras variables}`.
            step: Steps done.
            done: The stage is finished.
            totals: Sums over the steps since the epoch began of what was measured.
            config: The run's configuration as JSON, from which a lost one can be recovered.

        Raises:
            FloatingPointError: when a number is not finite; the file is left as it was.
            OSError: when the file cannot be written.
        """
        self._write(named_arrays(state), step, done, totals, config)

    def take(self, arrays: dict[str, np.ndarray], step: int, config: str = "") -> None:
        """Replaces the file by a finished stage of arrays that another file holds.

        Args:
            arrays: `{key: array}` as `read` returns them, or those of a group; no optimizers are
                needed.
            step, config: See `save`.
        """
        self._write(arrays, step, True, (), config)

    def _write(self, arrays, step, done, totals, config):
        from safetensors.numpy import save

        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FloatingPointError(f"{key.split('/')[0]} holds a number that is not finite")
        metadata = {
            "format": FORMAT,
            "stage": self.stage,
            "step": str(step),
            "done": str(int(done)),
            "totals": json.dumps([float(total) for total in totals]),
            "config": config,
            "crc32": _checksum(arrays),
        }
        metadata["metadata_crc32"] = _metadata_checksum(metadata)
        write_whole(self.path, save(arrays, metadata))

    def load(self, state: dict) -> dict:
        """Assigns the file's arrays to variables.

        Args:
            state: `{group: Keras variables}`; groups of the file that it lacks are passed over.

        Returns:
            The metadata of the file.

        Raises:
            CheckpointError: when the file is damaged or does not fit the variables.
        """
        metadata, arrays = self.read()
        if misfit := assign(arrays, state):
            raise CheckpointError(
                f"{self.path} does not fit the networks (first at {misfit}); remove it to train "
                f"{self.stage} again"
            )
        return metadata

    def resume(self, state: dict, reported: int) -> tuple[int, np.ndarray]:
        """Puts a stage where its file has it.

        Args:
            state: As in `load`, with the optimizers.
            reported: Number of what is measured.

        Returns:
            `(step, totals)`; the totals are float64 `[reported]`.
        """
        if not self.path.exists():
            return 0, np.zeros(reported)
        metadata = self.load(state)
        # Version 0.1.0 kept its sums elsewhere: an epoch that it began is averaged over its rest.
        totals = json.loads(metadata.get("totals", "[]")) or np.zeros(reported)
        return int(metadata["step"]), np.array(totals, np.float64)

    def read(self) -> tuple[dict[str, str], dict[str, np.ndarray]]:
        """Returns `(metadata, {key: array})` of the whole file, checked.

        Raises:
            CheckpointError: when it is damaged.
        """
        from safetensors import SafetensorError, safe_open

        metadata = self._metadata()
        try:
            with safe_open(self.path, framework="numpy") as file:
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise self._damaged(first_line(error)) from error
        if metadata["crc32"] != _checksum(arrays):
            raise self._damaged("its checksum is wrong")
        return metadata, arrays

    def checksum(self) -> str:
        """Returns the checksum of the file's arrays, as its header has it; "" without a file."""
        return self._metadata()["crc32"] if self.path.exists() else ""

    def config(self) -> str:
        """Returns the configuration that the stage was trained by, as JSON; "" if it says none."""
        return self._metadata().get("config", "") if self.path.exists() else ""

    def _metadata(self):
        try:
            with open(self.path, "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                size = self.path.stat().st_size
                if length > size:
                    raise ValueError("it is cut short")
                header = json.loads(file.read(length))
            metadata = header.pop("__metadata__")
            end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
            if size != 8 + length + end:
                raise ValueError("it is cut short")
            if "metadata_crc32" in metadata or "format" in metadata:
                stated = metadata.pop("metadata_crc32")
                if stated != _metadata_checksum(metadata):
                    raise ValueError("its metadata's checksum is wrong")
            int(metadata["step"]), metadata["done"], metadata["crc32"]
        except (OSError, struct.error, ValueError, LookupError, TypeError, AttributeError) as e:
            raise self._damaged(first_line(e)) from e
        return metadata

    def _damaged(self, reason):
        return CheckpointError(
            f"{self.path} is damaged ({reason}); remove it to train {self.stage} again"
        )


def named_arrays(state: dict) -> dict[str, np.ndarray]:
    """Returns `{key: array}` of `{group: Keras variables}`, as files of weights hold them."""
    return {key: np.asarray(v.numpy(), order="C") for key, v in _named(state).items()}


def assign(arrays: dict[str, np.ndarray], state: dict) -> str | None:
    """Assigns arrays that `named_arrays` named to variables, if all of them fit.

    Args:
        arrays: `{key: array}`; what `state` lacks is passed over.
        state: `{group: Keras variables}`.

    Returns:
        The first key that does not fit; None when all are assigned.
    """
    # Places decide; the names beside them are for readers, and Keras numbers them anew.
    places = {key.rpartition("/")[0]: array for key, array in arrays.items()}
    pairs = [(places.get(k.rpartition("/")[0]), k, v) for k, v in _named(state).items()]
    for array, key, variable in pairs:
        if array is None or array.shape != tuple(variable.shape):
            return key
    for array, _, variable in pairs:
        variable.assign(array)
    return None


def _named(state):
    """Names variables by group and place, which are stable, and by their own names."""
    return {
        f"{group}/{i:03d}/{v.path.split('/')[-1]}": v
        for group, variables in state.items()
        for i, v in enumerate(variables)
    }


def _checksum(arrays):
    crc = 0
    for key in sorted(arrays):
        crc = zlib.crc32(arrays[key].tobytes(), zlib.crc32(key.encode(), crc))
    return f"{crc:08x}"


def _metadata_checksum(metadata):
    return f"{zlib.crc32(json.dumps(metadata, sort_keys=True).encode()):08x}"
