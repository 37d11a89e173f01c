"""`Checkpoint` holds the whole state of a stage in one file. This module explains how resume works.

A resumed stage gives the same results bit for bit. Everything that its next step depends on is
either in the file, or a pure function of the step's number:

* The file holds the weights of the networks, the moving averages of batch normalization, the states
  of noise layers, the optimizers' slots and iterations, the step, and the sums of what was measured
  since the epoch began.
* Functions of the step are the order of the images with their flips and shifts (`batches`), and the
  noise z of the generators (`AdversarialModel`, from the optimizers' iterations).

The file (safetensors) is written under a temporary name, flushed, and then renamed. So it is either
complete or absent, and the weights never disagree with the step. Checksums cover the arrays and the
metadata. Only finite numbers are saved, so the last good checkpoint survives a divergence.
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

FORMAT = "2"  # of the metadata; files of version 0.1.0 have no such entry


class CheckpointError(UserError):
    """A checkpoint that cannot be used; the message names it and says what to do."""


class StageProgress(NamedTuple):
    """The progress of a stage.

    Attributes:
        step: Integer. Number of steps done. Defaults to 0.
        done: Boolean. Whether the stage is finished. Defaults to False.
    """

    step: int = 0
    done: bool = False


class Checkpoint:
    """The checkpoint file of a stage.

    Args:
        path: `pathlib.Path`. The file, which need not exist.
        stage: String. The stage's name, for messages.

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
        """Reads the progress of the stage from the file's header alone.

        Returns:
            A `StageProgress`; `(0, False)` if there is no file.

        Raises:
            CheckpointError: If the header is damaged or the file is cut short.
        """
        if not self.path.exists():
            return StageProgress()
        metadata = self._metadata()
        return StageProgress(int(metadata["step"]), metadata["done"] == "1")

    def save(
        self, state: dict, step: int, done: bool, totals: Iterable[float] = (), config: str = ""
    ) -> None:
        """Replaces the file with the given state.

        Args:
            state: Dictionary `{group: list of Keras variables}`.
            step: Integer. Number of steps done.
            done: Boolean. Whether the stage is finished.
            totals: Iterable of floats. Sums of the measurements over the steps since the epoch
                began. Defaults to none.
            config: String. The run's configuration as JSON, from which a lost `config.json` can be
                recovered. Defaults to `""`.

        Raises:
            FloatingPointError: If a number is not finite. The file is left as it was.
            OSError: If the file cannot be written.
        """
        self._write(named_arrays(state), step, done, totals, config)

    def take(self, arrays: dict[str, np.ndarray], step: int, config: str = "") -> None:
        """Replaces the file with a finished stage whose arrays come from another file.

        Args:
            arrays: Dictionary `{key: np.ndarray}`, as `read` returns it, or the part of it that
                belongs to some groups. The optimizers' arrays are not needed.
            step: Integer. Number of steps done.
            config: String. The run's configuration as JSON; see `save`. Defaults to `""`.
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
            state: Dictionary `{group: list of Keras variables}`. Groups that only the file has are
                skipped.

        Returns:
            Dictionary of strings. The metadata of the file.

        Raises:
            CheckpointError: If the file is damaged or does not fit the variables.
        """
        metadata, arrays = self.read()
        if misfit := assign(arrays, state):
            raise CheckpointError(
                f"{self.path} does not fit the networks (first at {misfit}); remove it to train "
                f"{self.stage} again"
            )
        return metadata

    def resume(self, state: dict, reported: int) -> tuple[int, np.ndarray]:
        """Restores the state of a stage from its file, if the file exists.

        Args:
            state: Dictionary `{group: list of Keras variables}` that includes the optimizers; see
                `load`.
            reported: Integer. Number of quantities that the stage measures.

        Returns:
            Tuple `(step, totals)`. `step` is the number of steps done, and `totals` a float64 array
            `[reported]`, the sums of the measurements since the epoch began. Both are 0 if there is
            no file.

        Raises:
            CheckpointError: If the file is damaged or does not fit the variables.
        """
        if not self.path.exists():
            return 0, np.zeros(reported)
        metadata = self.load(state)
        # Version 0.1.0 kept the sums elsewhere: an epoch that it began is averaged over its rest.
        totals = json.loads(metadata.get("totals", "[]")) or np.zeros(reported)
        return int(metadata["step"]), np.array(totals, np.float64)

    def read(self) -> tuple[dict[str, str], dict[str, np.ndarray]]:
        """Reads the whole file and checks it.

        Returns:
            Tuple `(metadata, arrays)` of the dictionaries `{name: string}` and `{key: np.ndarray}`.

        Raises:
            CheckpointError: If the file is damaged.
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
        """Returns the checksum of the arrays from the file's header; `""` if there is no file."""
        return self._metadata()["crc32"] if self.path.exists() else ""

    def config(self) -> str:
        """Returns the configuration of the training as JSON; `""` if the file has none."""
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
    """Returns variables as the arrays that files of weights hold.

    Args:
        state: Dictionary `{group: list of Keras variables}`.

    Returns:
        Dictionary `{key: np.ndarray}`, whose keys are `group/place/name`.
    """
    return {key: np.asarray(v.numpy(), order="C") for key, v in _named(state).items()}


def assign(arrays: dict[str, np.ndarray], state: dict) -> str | None:
    """Assigns arrays with keys as in `named_arrays` to variables, if all of them fit.

    Args:
        arrays: Dictionary `{key: np.ndarray}`. Arrays that `state` lacks are skipped.
        state: Dictionary `{group: list of Keras variables}`.

    Returns:
        String. The first key of `state` that does not fit; None if all variables are assigned.
    """
    # Only places are compared: Keras numbers the names differently in each process.
    places = {key.rpartition("/")[0]: array for key, array in arrays.items()}
    pairs = [(places.get(k.rpartition("/")[0]), k, v) for k, v in _named(state).items()]
    for array, key, variable in pairs:
        if array is None or array.shape != tuple(variable.shape):
            return key
    for array, _, variable in pairs:
        variable.assign(array)
    return None


def _named(state):
    """Returns `{key: variable}`, with keys of the group, the place in it and the name."""
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
