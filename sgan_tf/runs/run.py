"""`Run`: the run folder. Names of its files, atomic writes, and which configuration may go on."""

import contextlib
import json
import logging
import pathlib
import shutil

from sgan_tf.config.overrides import with_epochs
from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError
from sgan_tf.errors import UserError, first_line
from sgan_tf.runs.checkpoint import Checkpoint, Progress
from sgan_tf.utils.files import PARTIAL, InUse, sole_writer, write_whole
from sgan_tf.utils.hardware import arithmetic

log = logging.getLogger("sgan_tf")


class RunError(UserError):
    """A run folder that cannot be used; the message names it and says what to do."""


class Run:
    """A folder that holds one training run and explains itself.

    `config.json`, `data.json`, `versions.json`: what the run is; `metrics.jsonl`: a line an epoch;
    `checkpoints/<stage>.safetensors`: the whole state of a stage (`Checkpoint`); `log.txt`,
    `tensorboard/`, `*.png`.

    Args:
        path: The folder.
        writes: Whether this process writes to it: of several workers the chief alone does, and what
            the others write is dropped.

    Example:

    >>> import tempfile
    >>> from sgan_tf import make_config
    >>> run = Run.open(tempfile.mkdtemp(), make_config("digits"))
    >>> run.unfinished(run.config)
    ['encoder (step 0)', 'level0 (step 0)', 'level1 (step 0)', 'joint (step 0)']
    """

    def __init__(self, path, writes: bool = True):
        self.path, self.writes = pathlib.Path(path), writes
        self._held = contextlib.ExitStack()

    @classmethod
    def open(
        cls,
        path,
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
            The `Run`, with an attribute `config`: what is trained.

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

    def close(self):
        """Lets other processes use the folder."""
        self._held.close()

    def _open(self, config, exists, keep_epochs):
        existing = read_config(self.path) if exists else None
        self.config = self._agreed(existing, config, keep_epochs) if exists else config
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
            if (self.path / "config.json").exists() or _recovered_config(self.path):
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

    def _agreed(self, existing, config, keep_epochs):
        """Returns the configuration to go on with, out of the folder's and the one asked for."""
        before = {name: settings.epochs for name, settings in existing.sections().items()}
        wanted = {name: settings.epochs for name, settings in config.sections().items()}
        more = [name for name in wanted if wanted[name] > before.get(name, wanted[name])]
        settled = {name: self._why_settled(name, config) for name in more}
        settled = {name: reason for name, reason in settled.items() if reason}
        if keep_epochs:
            config = with_epochs(config, {name: before[name] for name in settled})
            for name, reason in settled.items():
                log.info("%s keeps its %d epochs: %s", name, before[name], reason)
        grown = with_epochs(existing, {n: wanted[n] for n in more if n not in settled})
        differences = grown.differences(config)
        if not differences:
            return config
        reasons = [f"; {name}: {reason}" for name, reason in settled.items() if not keep_epochs]
        raise RunError(
            f"`run_dir`: {self.path} holds another configuration ({'; '.join(differences)}"
            f"{''.join(reasons)}); choose another folder, or `overwrite` it"
        )

    def _why_settled(self, stage, config):
        """Says why a stage's epochs cannot grow any more; None where they can."""
        begun = [name for name in config.sections() if self.progress(name).step]
        settings = config.sections()[stage]
        if stage in begun and (stage == "encoder" or settings.optimizer.decay_from < 1):
            return "its learning rates follow from its epochs, and it has begun"
        upon = {"encoder": [n for n in begun if n != "encoder"], "joint": []}
        standing = upon.get(stage, [name for name in begun if name == "joint"])
        return f"{standing[0]} stands on it, and has begun" if standing else None

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
        names = ("reals", "samples", "variations", "factors", "curves", "inspect")
        _remove(self.path / f"{name}.png" for name in names)
        # config.json stays until the new one takes its place: it says whose folder this is. So does
        # a classifier: this may be the only copy, and the one that is to be inverted anew.
        names = ("encoder.json", "encoder_from.json", "metrics.jsonl", "log.txt", "versions.json")
        names += () if keep_classifier else ("classifier.keras",)
        _remove(self.path / name for name in (*names, "inspect.json", "data.json"))

    # Files

    def write(self, name: str, content):
        """Writes a file of the folder (bytes or text) whole or not at all."""
        if self.writes:
            write_whole(self.path / name, content)

    def save_png(self, name: str, picture):
        """Writes a PIL image."""
        from sgan_tf.utils.images import png

        self.write(name, png(picture))

    def record(self, name: str, facts):
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

    def read_facts(self, name: str):
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

    def record_facts(self, dataset):
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
        now = versions()
        before = self.record("versions.json", now)
        if before is not None:
            differences = [
                f"{name} {before.get(name, 'unknown')} (now {now.get(name, 'unknown')})"
                for name in {**before, **now}
                if before.get(name) != now.get(name)
            ]
            log.warning(
                "the run was begun with %s: its weights may differ from an uninterrupted run's",
                ", ".join(differences),
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

    def append_metrics(self, line: dict):
        """Appends a dictionary to `metrics.jsonl`."""
        if self.writes:
            with open(self.path / "metrics.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")

    def read_metrics(self) -> list[dict]:
        """Returns the lines of `metrics.jsonl`, without one that was left half-written."""
        path = self.path / "metrics.jsonl"
        lines = []
        text = path.read_text(errors="replace") if path.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                values = json.loads(line)
                if not {"stage", "epoch", "step"} <= values.keys():
                    raise ValueError
                lines.append(values)
            except (ValueError, AttributeError):
                log.warning("%s: dropped line %d, which is damaged", path, number)
        return lines

    def forget_metrics(self, stage: str, step: int):
        """Removes the lines of a stage beyond the step from which it resumes."""
        lines = self.read_metrics()
        kept = [line for line in lines if line["stage"] != stage or line["step"] <= step]
        if lines:
            self.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in kept))

    def adopt(self, other: "Run", stages):
        """Takes over finished stages of another run, whose settings decide the same weights.

        Args:
            other: A `Run`.
            stages: Their names; those that are finished here are left alone.
        """
        for stage in stages:
            if not self.progress(stage).done:
                self.forget_metrics(stage, 0)
                for line in other.read_metrics():
                    if line["stage"] == stage:
                        self.append_metrics(line)
                if stage == "encoder":
                    self.write("encoder.json", (other.path / "encoder.json").read_bytes())
                content = other.checkpoint(stage).path.read_bytes()
                self.write(f"checkpoints/{stage}.safetensors", content)

    # Stages

    def checkpoint(self, stage: str) -> Checkpoint:
        """Returns the `Checkpoint` of a stage, whether its file exists or not."""
        return Checkpoint(self.path / "checkpoints" / f"{stage}.safetensors", stage)

    def progress(self, stage: str) -> Progress:
        """Returns how far a stage is; `(0, False)` without a checkpoint."""
        return self.checkpoint(stage).progress()

    def weights(self, config: Config) -> dict[str, str]:
        """Returns `{stage: checksum}` of the checkpoints here: which weights they are."""
        return {name: self.checkpoint(name).checksum() for name in config.stages()}

    def unfinished(self, config: Config) -> list[str]:
        """Returns `["joint (step 1200)", …]`: the stages that are not finished here."""
        progress = {name: self.progress(name) for name in config.stages()}
        return [f"{name} (step {p.step})" for name, p in progress.items() if not p.done]


def read_config(path) -> Config:
    """Returns the `Config` of a run folder. Raises `RunError` when it is none."""
    file = pathlib.Path(path) / "config.json"
    try:
        text = file.read_text() if file.exists() else _recovered_config(file.parent)
        if text is None:
            raise RunError(f"`run_dir`: {path} is not a run of sgan_tf: it has no config.json")
        return Config.from_json(text)
    except (ConfigError, UnicodeDecodeError) as error:
        raise RunError(f"`run_dir`: {file} is {error}; choose another folder") from error


def versions() -> dict[str, str]:
    """Returns what a run's weights depend on beside its settings: versions, and the arithmetic."""
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
        **arithmetic(),
    }


def _recovered_config(path):
    """The text of a lost config.json out of the newest checkpoint; None where none has it."""
    files = sorted(path.glob("checkpoints/*.safetensors"), key=lambda file: file.stat().st_mtime)
    texts = [Checkpoint(file, file.stem).config() for file in reversed(files)]
    text = next(filter(None, texts), None)
    if text:
        log.warning("%s/config.json is lost; its settings are those of the checkpoints", path)
    return text


def _remove(paths):
    for path in list(paths):
        path.unlink(missing_ok=True)
