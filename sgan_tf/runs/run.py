"""`Run` is the run folder with its lock and its files."""

import contextlib
import json
import logging
import os
import pathlib
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sgan_tf.config.schema import Config
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.errors import RunError, UserError, first_line
from sgan_tf.runs import environment
from sgan_tf.runs.checkpoint import Checkpoint, StageProgress
from sgan_tf.runs.metrics_log import MetricsLog
from sgan_tf.runs.resume import agreed_config, read_config, recovered_config
from sgan_tf.utils.files import PARTIAL, InUse, sole_writer, write_whole

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger("sgan_tf")


class Run:
    """A folder that holds one training run and its description.

    Its files are:

    * `config.json`, `data.json` and `versions.json`: the configuration, the data set, and the
      libraries and arithmetic.
    * `metrics.jsonl`: one line of measurements per epoch (`MetricsLog`).
    * `checkpoints/<stage>.safetensors`: the whole state of a stage (`Checkpoint`).
    * `log.txt`, `tensorboard/` and `*.png`: the log, TensorBoard's files and the pictures.

    Args:
        path: String or path. The folder.
        writes: Boolean. Whether this process writes to the folder. Of several workers only the
            chief writes; writes of the others are dropped. Defaults to True.

    Attributes:
        path: `pathlib.Path`. The folder.
        writes: Boolean. Whether this process writes to the folder.
        config: `Config` that is trained. Only a run from `Run.open` has it.
        metrics: `MetricsLog` of the folder.

    Example:

    >>> import tempfile
    >>> from sgan_tf import make_config
    >>> run = Run.open(tempfile.mkdtemp(), make_config("digits"))
    >>> run.unfinished(run.config)
    ['encoder (step 0)', 'level0 (step 0)', 'level1 (step 0)', 'joint (step 0)']
    """

    def __init__(self, path: str | os.PathLike, writes: bool = True) -> None:
        self.path, self.writes = pathlib.Path(path), writes
        self.metrics = MetricsLog(self.path / "metrics.jsonl", writes)
        self._held = contextlib.ExitStack()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike,
        config: Config,
        overwrite: bool = False,
        keep_epochs: bool = False,
        writes: bool = True,
    ) -> "Run":
        """Creates a run folder, or opens an existing one with the same configuration.

        The configuration may have more epochs than the folder's, if they do not change what is
        already trained (see `agreed_config`). The folder then takes the new configuration.

        Args:
            path: String or path. The folder.
            config: `Config` to train.
            overwrite: Boolean. Whether to remove the files of an existing run and start again.
                Defaults to False.
            keep_epochs: Boolean. If more epochs would change what is already trained, keep the
                folder's epochs for that stage and write so to the log, instead of raising an error.
                Defaults to False.
            writes: Boolean. Whether this process writes to the folder; see `Run`. A process that
                does not write opens the folder that the writing process made. Defaults to True.

        Returns:
            A `Run`.

        Raises:
            RunError: If the folder is not a run, cannot be written, is in use, or holds another
                configuration.
            CheckpointError: If a checkpoint that has to be read is damaged.
        """
        run = cls(path, writes)
        exists = run._exists()
        try:
            if writes:
                run.path.mkdir(parents=True, exist_ok=True)
                run._take_lock()
            if exists and overwrite and writes:
                run._clear(keep_classifier=config.classifier is not None)
                exists = False
            if not exists and not writes:
                raise RunError(
                    f"`run_dir`: {run.path} does not hold what worker 0 has made there; all "
                    "workers have to share the folder"
                )
            run._open(config, exists, keep_epochs)
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"`run_dir`: cannot write to {run.path}: {reason}") from error
        except UserError:
            run.close()
            raise
        return run

    def close(self) -> None:
        """Releases the lock, so that other processes can use the folder."""
        self._held.close()

    def _open(self, config, exists, keep_epochs):
        existing = read_config(self.path) if exists else None
        if existing is not None:
            config = agreed_config(self.path, existing, config, self.progress, keep_epochs)
        self.config = config
        if self.config != existing or not (self.path / "config.json").exists():
            self.write("config.json", self.config.to_json())
        if self.writes:
            (self.path / "checkpoints").mkdir(exist_ok=True)
            _remove(self.path.rglob(f"{PARTIAL}*"))

    def _exists(self):
        """Returns whether the folder holds a run; raises `RunError` if it holds anything else."""
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"`run_dir`: {self.path} is not a directory")
        try:
            if (self.path / "config.json").exists() or recovered_config(self.path):
                return True
            # A process that was killed before it wrote config.json leaves no more than these.
            names = [p.name for p in self.path.iterdir()] if self.path.exists() else []
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"`run_dir`: cannot read {self.path}: {reason}") from error
        others = [name for name in names if not name.startswith(("lock", PARTIAL))]
        if others:
            raise RunError(
                f"`run_dir`: {self.path} holds {others[0]} but no config.json, so it is not a run "
                "of sgan_tf; choose another folder"
            )
        return False

    def _take_lock(self):
        try:
            self._held.enter_context(sole_writer(self.path / "lock"))
        except InUse as error:
            raise RunError(
                f"`run_dir`: {self.path} is in use by {error}; wait for it, or choose another "
                "folder"
            ) from error

    def _clear(self, keep_classifier=False):
        """Removes the files of a run and no others. It can be repeated if it was interrupted."""
        signs = {"data.json", "versions.json", "checkpoints"}
        if not signs & {p.name for p in self.path.iterdir()}:
            try:
                read_config(self.path)  # ours: an earlier `overwrite` was killed
            except RunError as error:
                raise RunError(
                    f"`overwrite`: {self.path} holds a config.json but no run of sgan_tf; choose "
                    "another folder"
                ) from error
        for name in ("evaluation", "tensorboard", "checkpoints", "cache"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        _remove(self.path.glob("fakes_*.png"))
        pictures = ("reals", "samples", "variations", "factors", "curves", "inspect")
        _remove(self.path / f"{name}.png" for name in pictures)
        # config.json stays until the new one replaces it, as it marks the folder as a run. So does
        # a classifier, as this may be the only copy, and the one to be inverted again.
        names = ["encoder.json", "encoder_from.json", "metrics.jsonl", "log.txt", "versions.json"]
        names += [] if keep_classifier else ["classifier.keras"]
        _remove(self.path / name for name in (*names, "inspect.json", "data.json"))

    # Files

    def write(self, name: str, content: bytes | str) -> None:
        """Writes a file of the folder, completely or not at all.

        Args:
            name: String. The file's name, relative to the folder.
            content: Bytes or string.
        """
        if self.writes:
            write_whole(self.path / name, content)

    def save_png(self, name: str, picture: "Image.Image") -> None:
        """Writes an image to the folder as a PNG file.

        Args:
            name: String. The file's name.
            picture: PIL image.
        """
        from sgan_tf.utils.images import png

        self.write(name, png(picture))

    def record(self, name: str, facts: Any) -> Any:
        """Writes a JSON file, unless it exists already.

        Args:
            name: String. The file's name.
            facts: Any value that JSON can hold.

        Returns:
            The content of the existing file if it differs from `facts`, else None.

        Raises:
            RunError: If the existing file is damaged.
        """
        text = json.dumps(facts, indent=2) + "\n"
        if not (self.path / name).exists():
            self.write(name, text)
            return None
        before = self.read_facts(name)
        return None if before == json.loads(text) else before

    def read_facts(self, name: str) -> Any:
        """Returns the content of a JSON file of the folder.

        Args:
            name: String. The file's name.

        Raises:
            RunError: If the file is missing or damaged.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except OSError as error:
            raise RunError(
                f"`run_dir`: {path} cannot be read ({error.strerror}); run train.py again, which "
                "writes it"
            ) from error
        except ValueError as error:
            raise RunError(
                f"`run_dir`: {path} is damaged ({first_line(error)}); remove it and run "
                "train.py again, which writes it anew"
            ) from error

    def record_facts(self, dataset: ImageDataset) -> None:
        """Records the run's data set, libraries and arithmetic.

        If the run was begun with other libraries or another arithmetic, this logs a warning.

        Args:
            dataset: `ImageDataset` to train on.

        Raises:
            RunError: If the run was begun on other images.
        """
        begun_on = self.record("data.json", dataset.description())
        if begun_on is not None and not dataset.matches(begun_on):
            raise RunError(
                f"`run_dir`: {self.path} was trained on other images than these (see data.json in "
                "it); choose another folder"
            )
        now = environment.versions()
        before = self.record("versions.json", now)
        if before is not None:
            log.warning(
                "the run was begun with %s: its weights may differ from an uninterrupted run's",
                ", ".join(environment.changes(before, now)),
            )

    def data(self) -> dict:
        """Returns the content of data.json: the data set's class names, shapes and sizes.

        Returns:
            Dictionary; see `ImageDataset.description`.

        Raises:
            RunError: If no training has begun here, or if the file is damaged.
        """
        if not (self.path / "data.json").exists():
            raise RunError(
                f"`run_dir`: {self.path} is not trained: encoder is not finished; run train.py "
                "again to resume it"
            )
        facts = self.read_facts("data.json")
        if not isinstance(facts, dict):
            raise RunError(
                f"`run_dir`: {self.path / 'data.json'} is damaged (it holds no facts by their "
                "names); remove it and run train.py again, which writes it anew"
            )
        return facts

    def adopt(self, other: "Run", stages: Iterable[str]) -> None:
        """Copies finished stages of another run whose settings give the same weights.

        Args:
            other: `Run` to copy from.
            stages: Iterable of strings. Names of the stages. Stages that are finished in this run
                are left as they are.
        """
        for stage in stages:
            if not self.progress(stage).done:
                self.metrics.forget(stage, 0)
                for line in other.metrics.read():
                    if line["stage"] == stage:
                        self.metrics.append(line)
                if stage == "encoder":
                    self.write("encoder.json", (other.path / "encoder.json").read_bytes())
                content = other.checkpoint(stage).path.read_bytes()
                self.write(f"checkpoints/{stage}.safetensors", content)

    # Stages

    def checkpoint(self, stage: str) -> Checkpoint:
        """Returns the `Checkpoint` of a stage, whether its file exists or not.

        Args:
            stage: String. The stage's name.
        """
        return Checkpoint(self.path / "checkpoints" / f"{stage}.safetensors", stage)

    def progress(self, stage: str) -> StageProgress:
        """Returns the `StageProgress` of a stage; `(0, False)` if it has no checkpoint.

        Args:
            stage: String. The stage's name.

        Raises:
            CheckpointError: If the checkpoint is damaged.
        """
        return self.checkpoint(stage).progress()

    def weights(self, config: Config) -> dict[str, str]:
        """Returns the checksums of the checkpoints, which identify the weights.

        Args:
            config: `Config` of the run.

        Returns:
            Dictionary of strings `{stage: checksum}`; `""` for a stage without a checkpoint.
        """
        return {name: self.checkpoint(name).checksum() for name in config.stages()}

    def unfinished(self, config: Config) -> list[str]:
        """Lists the stages that are not finished.

        Args:
            config: `Config` of the run.

        Returns:
            List of strings, such as `["joint (step 1200)"]`.
        """
        progress = {name: self.progress(name) for name in config.stages()}
        return [f"{name} (step {p.step})" for name, p in progress.items() if not p.done]


def _remove(paths):
    for path in list(paths):
        path.unlink(missing_ok=True)
