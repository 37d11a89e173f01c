"""Reads the configuration of a run folder and decides how its training may continue."""

import logging
import os
import pathlib
from collections.abc import Callable

from sgan_tf.config.overrides import with_epochs
from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError
from sgan_tf.errors import RunError
from sgan_tf.runs.checkpoint import Checkpoint, StageProgress

log = logging.getLogger("sgan_tf")


def read_config(path: str | os.PathLike) -> Config:
    """Reads the configuration of a run folder.

    Args:
        path: String or path. The run folder.

    Returns:
        A `Config`.

    Raises:
        RunError: If the folder is not a run, or if its configuration is damaged.
        CheckpointError: If config.json is missing and a checkpoint is damaged.
    """
    file = pathlib.Path(path) / "config.json"
    try:
        text = file.read_text() if file.exists() else recovered_config(file.parent)
        if text is None:
            raise RunError(f"`run_dir`: {path} is not a run of sgan_tf: it has no config.json")
        return Config.from_json(text)
    except (ConfigError, UnicodeDecodeError) as error:
        raise RunError(f"`run_dir`: {file} is {error}; choose another folder") from error


def recovered_config(path: pathlib.Path) -> str | None:
    """Recovers a lost config.json from the newest checkpoint that holds one.

    Args:
        path: `pathlib.Path`. The run folder.

    Returns:
        String, the text of config.json; None if no checkpoint has it.

    Raises:
        CheckpointError: If a checkpoint is damaged.
    """
    files = sorted(path.glob("checkpoints/*.safetensors"), key=lambda file: file.stat().st_mtime)
    texts = [Checkpoint(file, file.stem).config() for file in reversed(files)]
    text = next(filter(None, texts), None)
    if text:
        log.warning("%s/config.json is lost; its settings are those of the checkpoints", path)
    return text


def agreed_config(
    path: pathlib.Path,
    existing: Config,
    config: Config,
    progress: Callable[[str], StageProgress],
    keep_epochs: bool = False,
) -> Config:
    """Returns the configuration with which a run continues.

    The number of epochs of a stage may grow if this does not change what is already trained: the
    learning rates of a stage that has begun must not depend on it, and no stage that has begun may
    depend on the stage.

    Args:
        path: `pathlib.Path`. The run folder, for messages.
        existing: `Config` that the folder holds.
        config: `Config` that the user requests.
        progress: Function that returns the `StageProgress` of a stage; see `Run.progress`.
        keep_epochs: Boolean. If more epochs would change what is already trained, keep the epochs
            of `existing` for that stage and write so to the log, instead of raising an error.
            Defaults to False.

    Returns:
        A `Config`.

    Raises:
        RunError: If the two differ in anything else.
    """
    before = {name: settings.epochs for name, settings in existing.sections().items()}
    wanted = {name: settings.epochs for name, settings in config.sections().items()}
    more = [name for name in wanted if wanted[name] > before.get(name, wanted[name])]
    begun = [name for name in config.sections() if more and progress(name).step]
    settled = {name: _why_settled(name, config, begun) for name in more}
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
        f"`run_dir`: {path} holds another configuration ({'; '.join(differences)}"
        f"{''.join(reasons)}); choose another folder, or `overwrite` it"
    )


def _why_settled(stage, config, begun):
    """Returns why a stage's epochs cannot grow any more; None if they can."""
    settings = config.sections()[stage]
    if stage in begun and (stage == "encoder" or settings.optimizer.decay_from < 1):
        return "its learning rates follow from its epochs, and it has begun"
    upon = {"encoder": [n for n in begun if n != "encoder"], "joint": []}
    dependents = upon.get(stage, [name for name in begun if name == "joint"])
    return f"{dependents[0]} stands on it, and has begun" if dependents else None
