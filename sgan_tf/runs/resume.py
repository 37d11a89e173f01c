"""Which configuration a run folder has, and with which one its training may continue."""

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
    """Returns the `Config` of a run folder. Raises `RunError` when it is none."""
    file = pathlib.Path(path) / "config.json"
    try:
        text = file.read_text() if file.exists() else recovered_config(file.parent)
        if text is None:
            raise RunError(f"`run_dir`: {path} is not a run of sgan_tf: it has no config.json")
        return Config.from_json(text)
    except (ConfigError, UnicodeDecodeError) as error:
        raise RunError(f"`run_dir`: {file} is {error}; choose another folder") from error


def recovered_config(path: pathlib.Path) -> str | None:
    """Returns the text of a lost config.json, read from the newest checkpoint that has it."""
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

    Epochs may grow where that leaves the past as it was: for a stage whose learning rates do not
    depend on them, and on which no other stage that has begun depends.

    Args:
        path: The run folder, for the message.
        existing: The `Config` that it holds.
        config: The `Config` asked for.
        progress: Returns how far a stage is, as `Run.progress` does.
        keep_epochs: Where more epochs of a stage would change the past, keep those of `existing`,
            and say so in the log, instead of refusing. Defaults to False.

    Raises:
        RunError: when the two differ in anything else.
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
    """Says why a stage's epochs cannot grow any more; None where they can."""
    settings = config.sections()[stage]
    if stage in begun and (stage == "encoder" or settings.optimizer.decay_from < 1):
        return "its learning rates follow from its epochs, and it has begun"
    upon = {"encoder": [n for n in begun if n != "encoder"], "joint": []}
    standing = upon.get(stage, [name for name in begun if name == "joint"])
    return f"{standing[0]} stands on it, and has begun" if standing else None
