"""`Run`: the run folder. Names of its files, atomic writes, finished stages, exact resume."""

import fcntl
import json
import logging
import pathlib
import shutil
import zlib

import numpy as np

from sgan_tf.config import Config, ConfigError
from sgan_tf.errors import UserError
from sgan_tf.files import PARTIAL, write_whole

log = logging.getLogger("sgan_tf")


class RunError(UserError):
    """A run folder that cannot be used; the message names it and says what to do."""


class Run:
    """A folder that holds one training run and explains itself.

    `config.json`, `data.json`, `versions.json`: what the run is; `metrics.jsonl`: a line an epoch;
    `checkpoints/<stage>.safetensors`: the whole state of a stage; `log.txt`, `tensorboard/`, `*.png`.

    A checkpoint is one file, replaced atomically, that holds the weights, the optimizers' and the metrics' state,
    the step, and a checksum: it is there whole or not at all, and the weights never disagree with the step.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._lock = None

    @classmethod
    def open(cls, path, config, overwrite=False):
        """Creates a run folder, or opens the one that holds the same configuration.

        Args:
            path: The folder.
            config: The `Config` to train.
            overwrite: Start anew: remove the files of the run that the folder holds.

        Raises:
            RunError: when the folder is not a run, cannot be written, is in use, or holds another configuration.
        """
        run = cls(path)
        existing = run._existing_config()
        try:
            run._open(config, existing, overwrite)
        except OSError as error:
            raise RunError(
                f"--run_dir: cannot write to {run.path}: {error.strerror or error}"
            ) from error
        except RunError:
            run.close()
            raise
        return run

    def close(self):
        """Lets other processes use the folder."""
        if self._lock is not None:
            self._lock.close()

    def _open(self, config, existing, overwrite):
        self.path.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        if existing is not None and overwrite:
            self._clear()
        elif existing is not None and existing != config.to_json():
            self._refuse(existing, config)
        if existing is None or overwrite:
            self.write("config.json", config.to_json())
        (self.path / "checkpoints").mkdir(exist_ok=True)
        _remove(self.path.rglob(f"{PARTIAL}*"))

    def _existing_config(self):
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"--run_dir: {self.path} is not a directory")
        try:
            if (self.path / "config.json").exists():
                return (self.path / "config.json").read_text()
            # A process that was killed before it wrote config.json leaves no more than these.
            others = (
                [
                    p.name
                    for p in self.path.iterdir()
                    if p.name != "lock" and not p.name.startswith(PARTIAL)
                ]
                if self.path.exists()
                else []
            )
        except OSError as error:
            raise RunError(
                f"--run_dir: cannot read {self.path}: {error.strerror or error}"
            ) from error
        if others:
            raise RunError(
                f"--run_dir: {self.path} holds {others[0]} but no config.json, so it is not a run of sgan_tf; choose another folder"
            )
        return None

    def _refuse(self, existing, config):
        try:
            differences = Config.from_json(existing).differences(config)
        except ConfigError as error:
            raise RunError(
                f"--run_dir: {self.path}/config.json is {error}; choose another folder"
            ) from error
        raise RunError(
            f"--run_dir: {self.path} holds another configuration ({'; '.join(differences)}); choose another folder, or --overwrite it"
        )

    def _take_lock(self):
        self._lock = open(self.path / "lock", "w")  # noqa: SIM115 - held until the process ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"--run_dir: {self.path} is in use by another process; wait for it, or choose another folder"
            ) from error

    def _clear(self):
        if not {p.name for p in self.path.iterdir()} & {
            "data.json",
            "versions.json",
            "checkpoints",
        }:
            raise RunError(
                f"--overwrite: {self.path} holds a config.json but no run of sgan_tf; choose another folder"
            )
        for name in ("checkpoints", "tensorboard"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        _remove(
            self.path / name
            for name in ("data.json", "versions.json", "metrics.jsonl", "log.txt", "reals.png")
        )
        _remove(self.path.glob("fakes_*.png"))

    def write(self, name, content):
        """Writes a file of the folder (bytes or text) whole or not at all."""
        write_whole(self.path / name, content)

    def save_png(self, name, picture):
        """Writes a PIL image."""
        from sgan_tf.images import png

        self.write(name, png(picture))

    def record(self, name, facts):
        """Writes `name` (JSON) once; returns what an earlier process wrote there instead, if it differs, else None."""
        text = json.dumps(facts, indent=2) + "\n"
        path = self.path / name
        if not path.exists():
            self.write(name, text)
            return None
        before = path.read_text()
        return None if before == text else json.loads(before)

    def append_metrics(self, line):
        """Appends a dictionary to `metrics.jsonl`."""
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")

    def read_metrics(self):
        """Returns the lines of `metrics.jsonl`, without one that a killed process left half-written."""
        path = self.path / "metrics.jsonl"
        lines = []
        for text in path.read_text().splitlines() if path.exists() else []:
            try:
                lines.append(json.loads(text))
            except ValueError:
                log.warning("%s: dropped a half-written line", path)
        return lines

    def forget_metrics(self, stage, step):
        """Removes the lines of a stage beyond the step from which it resumes; it will write them again."""
        lines = self.read_metrics()
        kept = [line for line in lines if line["stage"] != stage or line["step"] <= step]
        if lines:
            self.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in kept))

    def adopt(self, other, stages):
        """Takes over finished stages of another run: what of the stages' settings decides their weights must be the same.

        Args:
            other: A `Run`.
            stages: Their names; those that are finished here are left alone.
        """
        for stage in stages:
            if not self.progress(stage)[1]:
                self.forget_metrics(stage, 0)
                for line in other.read_metrics():
                    if line["stage"] == stage:
                        self.append_metrics(line)
                if stage == "encoder":
                    self.write("encoder.json", (other.path / "encoder.json").read_bytes())
                self.write(f"checkpoints/{stage}.safetensors", other.checkpoint(stage).read_bytes())

    # Checkpoints

    def checkpoint(self, stage):
        return self.path / "checkpoints" / f"{stage}.safetensors"

    def save(self, stage, state, step, done):
        """Replaces the checkpoint of a stage.

        Args:
            stage: Name.
            state: `{group: Keras variables}`.
            step: Steps done.
            done: The stage is finished.
        """
        from safetensors.numpy import save

        arrays = {
            key: np.asarray(variable.numpy(), order="C") for key, variable in _named(state).items()
        }
        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FloatingPointError(f"{key.split('/')[0]} holds a number that is not finite")
        metadata = {
            "stage": stage,
            "step": str(step),
            "done": str(int(done)),
            "crc32": _checksum(arrays),
        }
        self.write(f"checkpoints/{stage}.safetensors", save(arrays, metadata))

    def progress(self, stage):
        """Returns `(step, done)` of a stage's checkpoint, `(0, False)` without one."""
        if not self.checkpoint(stage).exists():
            return 0, False
        metadata, _ = self._read(stage)
        return int(metadata["step"]), metadata["done"] == "1"

    def unfinished(self, config):
        """Returns `["joint (step 1200)", …]`: the stages of a configuration that are not finished here."""
        progress = {name: self.progress(name) for name in config.stages()}
        return [f"{name} (step {step})" for name, (step, done) in progress.items() if not done]

    def load(self, stage, state):
        """Assigns a stage's checkpoint to variables.

        Args:
            stage: Name.
            state: `{group: Keras variables}`; groups of the checkpoint that it lacks are passed over.

        Returns:
            `{group: arrays}` as read.

        Raises:
            RunError: when the file is damaged or does not fit the variables.
        """
        _, arrays = self._read(stage)
        named = _named(state)
        misfits = [
            key
            for key, v in named.items()
            if key not in arrays or arrays[key].shape != tuple(v.shape)
        ]
        if misfits:
            raise RunError(
                f"{self.checkpoint(stage)} does not fit the networks (first at {misfits[0]}); remove it to train {stage} again"
            )
        groups = {group: [] for group in state}
        for key, variable in named.items():
            variable.assign(arrays[key])
            groups[key.split("/")[0]].append(arrays[key])
        return groups

    def _read(self, stage):
        from safetensors import SafetensorError, safe_open

        path = self.checkpoint(stage)
        try:
            with safe_open(path, framework="numpy") as file:
                metadata, arrays = (
                    file.metadata() or {},
                    {key: file.get_tensor(key) for key in file.keys()},
                )  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise RunError(
                f"{path} is damaged ({str(error).splitlines()[0]}); remove it to train {stage} again"
            ) from error
        if metadata.get("crc32") != _checksum(arrays):
            raise RunError(
                f"{path} is damaged (its checksum is wrong); remove it to train {stage} again"
            )
        return metadata, arrays


def read_config(path):
    """Returns the `Config` of a run folder. Raises `RunError` when it is none."""
    file = pathlib.Path(path) / "config.json"
    if not file.exists():
        raise RunError(f"--run_dir: {path} is not a run of sgan_tf: it has no config.json")
    try:
        return Config.from_json(file.read_text())
    except ConfigError as error:
        raise RunError(f"--run_dir: {file} is {error}") from error


def versions():
    """Returns the versions that a run's weights depend on."""
    import platform

    import keras
    import numpy
    import tensorflow as tf

    import sgan_tf

    return {
        "sgan_tf": sgan_tf.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _named(state):
    """Names variables by group, position and name: stable where Keras's automatic names are not."""
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


def _remove(paths):
    for path in list(paths):
        path.unlink(missing_ok=True)
