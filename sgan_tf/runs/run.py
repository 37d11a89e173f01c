"""`Run`: the run folder, its lock and its files."""

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
    """A folder that holds one training run and explains itself.

    `config.json`, `data.json`, `versions.json`: what the run is; `metrics.jsonl`: a line an epoch;
    `checkpoints/<stage>.safetensors`: the whole state of a stage (`Checkpoint`); `log.txt`,
    `tensorboard/`, `*.png`.

    Args:
        path: The folder.
        writes: Whether this process writes to it: of several workers the chief alone does, and what
            the others write is dropped.

    Attributes:
        config: The `Config` that is trained; of a run that was opened.
        metrics: The `MetricsLog` of the folder.

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
        """Creates a run folder, or opens the one that holds the same configuration.

        Epochs may be more than the folder's, as long as the past stays what it was: for stages that
        no stage which has begun stands on. The folder then takes the new ones.

        Args:
            path: The folder.
            config: The `Config` to train.
            overwrite: Start anew: remove the files of the run that the folder holds.
            keep_epochs: Where more epochs of a stage would change the past, keep those of the
                folder, and say so in the log, in place of refusing.
            writes: See `Run`; a process that does not write finds what the writing one made.

        Returns:
            The `Run`.

        Raises:
            RunError: when the folder is not a run, cannot be written, is in use, or holds another
                configuration.
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
        """Lets other processes use the folder."""
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
        """Tells whether the folder holds a run, and refuses one that holds something else."""
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
        """Removes all that a run has made, and nothing else; after a kill it can be repeated."""
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
        # config.json stays until the new one takes its place: it says whose folder this is. So does
        # a classifier: this may be the only copy, and the one that is to be inverted anew.
        names = ["encoder.json", "encoder_from.json", "metrics.jsonl", "log.txt", "versions.json"]
        names += [] if keep_classifier else ["classifier.keras"]
        _remove(self.path / name for name in (*names, "inspect.json", "data.json"))

    # Files

    def write(self, name: str, content: bytes | str) -> None:
        """Writes a file of the folder (bytes or text) whole or not at all."""
        if self.writes:
            write_whole(self.path / name, content)

    def save_png(self, name: str, picture: "Image.Image") -> None:
        """Writes a PIL image."""
        from sgan_tf.utils.images import png

        self.write(name, png(picture))

    def record(self, name: str, facts: Any) -> Any:
        """Writes `name` (JSON) once.

        Returns:
            What an earlier process wrote there instead, if it differs, else None.
        """
        text = json.dumps(facts, indent=2) + "\n"
        if not (self.path / name).exists():
            self.write(name, text)
            return None
        before = self.read_facts(name)
        return None if before == json.loads(text) else before

    def read_facts(self, name: str) -> Any:
        """Returns what a JSON file of the folder holds.

        Raises:
            RunError: when it is missing or damaged.
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
        """Records the run's data set, libraries and arithmetic; warns when others began it.

        Args:
            dataset: An `ImageDataset`.

        Raises:
            RunError: when the run was begun on other images.
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
        """Returns what data.json holds: class names, shapes and sizes of the data set.

        Raises:
            RunError: when no training has begun here.
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
        """Takes over finished stages of another run, whose settings decide the same weights.

        Args:
            other: A `Run`.
            stages: Their names; those that are finished here are left alone.
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
        """Returns the `Checkpoint` of a stage, whether its file exists or not."""
        return Checkpoint(self.path / "checkpoints" / f"{stage}.safetensors", stage)

    def progress(self, stage: str) -> StageProgress:
        """Returns how far a stage is; `(0, False)` without a checkpoint."""
        return self.checkpoint(stage).progress()

    def weights(self, config: Config) -> dict[str, str]:
        """Returns `{stage: checksum}` of the checkpoints here: which weights they are."""
        return {name: self.checkpoint(name).checksum() for name in config.stages()}

    def unfinished(self, config: Config) -> list[str]:
        """Returns `["joint (step 1200)", …]`: the stages that are not finished here."""
        progress = {name: self.progress(name) for name in config.stages()}
        return [f"{name} (step {p.step})" for name, p in progress.items() if not p.done]


def _remove(paths):
    for path in list(paths):
        path.unlink(missing_ok=True)
