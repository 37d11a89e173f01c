"""Turns a source, such as an export, one of its versions or a run, into a model to serve.

To support another kind of folder, add a function to `KINDS`.
"""

import json
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgan_tf.errors import UserError, first_line, shown
from sgan_tf.saving import hub, pretrained

MAX_BATCH = 1024  # largest number of rows in a request, if the source does not say


class SourceError(UserError):
    """Raised if a source cannot be served. The message says why.

    Args:
        message: String. What went wrong and where, for the owner of the server.
        reason: String or None. The reason for clients, without the names of folders. Defaults to
            None, no reason for clients.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Servable:
    """Holds one loaded version of a model.

    Attributes:
        functions: Dict `{signature: concrete function}`. Each function maps named tensors to named
            tensors.
        rows_apart: Boolean. Whether each row of the outputs depends only on the same row of the
            inputs, so that requests may share a run. Defaults to False.
        max_batch: Integer. Largest number of rows in one request. Defaults to 1024.
        class_names: Sequence of strings. The name of each label; empty if the source does not give
            them.
        warm_up: Iterable of `(signature, {input: tensor})`. The requests that are run before
            clients are answered. Defaults to none.
        owner: Any object that must live as long as the functions.
    """

    functions: Mapping[str, Callable]
    rows_apart: bool = False
    max_batch: int = MAX_BATCH
    class_names: Sequence[str] = ()
    warm_up: Iterable[tuple[str, Mapping[str, Any]]] = ()
    owner: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Version:
    """Describes a version that can be loaded.

    Attributes:
        stamp: Any value that stays equal while the version's files are unchanged.
        load: Function without arguments that returns the version's `Servable`, or raises
            `SourceError`.
    """

    stamp: Any
    load: Callable[[], Servable]


@dataclass(frozen=True)
class Source:
    """Describes the source of a model.

    Attributes:
        name: String. The default name of the served model.
        versions: Function without arguments that returns `{number: Version}`, the versions that
            exist now.
    """

    name: str
    versions: Callable[[], dict[int, Version]]


def open_source(source: str | os.PathLike) -> Source:
    """Finds out which kind of source a path or name is, without loading it.

    Args:
        source: String or path. The folder of an export, the folder of one of its versions, or any
            other source that `sgan_tf.load` takes: a run, a folder of `save`, or a name.

    Returns:
        `Source`. The source.

    Raises:
        SourceError: If it cannot be served.
    """
    path = pathlib.Path(source).expanduser()
    if str(source) in pretrained.names() or str(source).startswith(hub.SCHEME):
        return _stack(str(source), str(source).rpartition("/")[2])
    for kind in KINDS:
        found = kind(path)
        if found:
            return found
    what = "holds neither versions of an export nor a run" if path.exists() else "does not exist"
    known = ", ".join(pretrained.names())
    raise SourceError(
        f"`model`: {shown(path)} {what}; give exports/NAME, a run folder, or a stack that comes "
        f"with the package ({known})"
    )


def _export(path):
    """Returns the source of an export's folder, which may get new versions at any time."""

    def versions():
        folders = [p for p in path.iterdir() if p.name.isdecimal() and 0 < int(p.name) < 2**63]
        return {int(p.name): _saved_model(p) for p in folders if (p / "saved_model.pb").is_file()}

    return Source(path.resolve().name, versions) if path.is_dir() and versions() else None


def _one_version(path):
    """Returns the source of the folder of one SavedModel."""
    if not (path / "saved_model.pb").is_file():
        return None
    path = path.resolve()
    if path.name.isdecimal() and int(path.name) > 0:
        return Source(path.parent.name, lambda: {int(path.name): _saved_model(path)})
    return Source(path.name, lambda: {1: _saved_model(path)})


def _folder_of_a_stack(path):
    """Returns the source of a run, or of a folder that `save` wrote."""
    return _stack(path, path.resolve().name) if (path / "config.json").is_file() else None


def _stack(source, name):
    """Returns the source of a stack that is sampled in this process."""

    def load():
        from sgan_tf.saving.load import load
        from sgan_tf.saving.serving_module import ServingModule
        from sgan_tf.saving.warmup import warmup_inputs

        try:
            stack: Any = load(source)
        except UserError as error:
            reason = re.sub("^`(source|run_dir)`: ", "", str(error))
            raise SourceError(f"`model`: {reason}") from error
        module = ServingModule(stack, stack.class_names, MAX_BATCH)
        warm_up = warmup_inputs(module).items()
        return Servable(
            *(module.functions, True, MAX_BATCH, stack.class_names, warm_up),
            owner=(stack, module),
        )

    return Source(name, lambda: {1: Version(None, load)})


KINDS = (_export, _one_version, _folder_of_a_stack)


# SavedModels


def _saved_model(path):
    files = [path, path / "saved_model.pb", path / "variables"]
    stamp = tuple(file.stat().st_mtime_ns for file in files if file.exists())
    return Version(stamp, lambda: _loaded(path))


def _loaded(path):
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    from sgan_tf.saving.export import WARM_UP_FILE
    from sgan_tf.saving.warmup import read_warmup
    from sgan_tf.server import screening

    try:
        reason = screening.unfit((path / "saved_model.pb").read_bytes())
    except OSError as error:
        raise _unserved(path, "cannot be read", error) from error
    if reason:
        raise _unserved(path, reason)
    try:
        loaded = tf.saved_model.load(str(path))
        functions = dict(loaded.signatures)
        warm_up = read_warmup(path / "assets.extra" / WARM_UP_FILE)
    except (
        *(tf.errors.OpError, DecodeError),
        *(OSError, ValueError, TypeError, KeyError, AttributeError),
    ) as error:
        raise _unserved(path, "cannot be loaded", error) from error
    facts = _facts(path)
    # The metadata of export.py identify its exports, whose signatures are a `ServingModule`'s.
    ours = facts.get("format") == "savedmodel" and set(facts["signatures"]) == set(functions)
    most = facts.get("max_batch", MAX_BATCH) if ours else MAX_BATCH
    names = facts.get("data", {}).get("class_names", ()) if ours else ()
    return Servable(functions, ours, most, names, warm_up, owner=loaded)


def _facts(path):
    try:
        facts = json.loads((path / "assets" / "metadata.json").read_text())
        return facts if isinstance(facts.get("signatures"), dict) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _unserved(path, reason, error=None):
    """Makes the error of a SavedModel, whose reason hides its path and TensorFlow's message."""
    detail = f" ({first_line(error)})" if error else ""
    return SourceError(f"{shown(path)} {reason}{detail}", f"it {reason}")
