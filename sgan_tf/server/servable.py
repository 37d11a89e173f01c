"""The one place where a source becomes something to serve: an export, one version of it, a run.

A new kind of folder is one more function in `KINDS`.
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

MAX_BATCH = 1024  # rows of a request, where the source does not say


class SourceError(UserError):
    """A source that cannot be served; the message says why.

    Args:
        message: What went wrong and where, for whom the server belongs to.
        reason: The same for its clients, who must not learn of folders; None where they are to be
            told nothing.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Servable:
    """One version of a model, loaded.

    Attributes:
        functions: `{signature: concrete function}`, each of named tensors to named tensors.
        rows_apart: Whether a row of the outputs depends on that row of the inputs alone, so that
            requests may share a run.
        max_batch: Most rows of a request.
        class_names: Of the labels, in their order; none where the source does not say.
        warm_up: Pairs of a signature and `{input: tensor}`, to be run before clients are answered.
        owner: What has to live as long as the functions.
    """

    functions: Mapping[str, Callable]
    rows_apart: bool = False
    max_batch: int = MAX_BATCH
    class_names: Sequence[str] = ()
    warm_up: Iterable[tuple[str, Mapping[str, Any]]] = ()
    owner: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Version:
    """A version that could be loaded.

    Attributes:
        stamp: Equal for as long as its files are the same.
        load: Returns its `Servable`, or raises `SourceError`.
    """

    stamp: Any
    load: Callable[[], Servable]


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        name: What the model is called, unless it is served under another name.
        versions: Returns `{number: Version}` of what is there now.
    """

    name: str
    versions: Callable[[], dict[int, Version]]


def open_source(source: str | os.PathLike) -> Source:
    """Finds out what a source is; nothing is loaded yet.

    Args:
        source: The path of an export's folder, of one version in it, or whatever else
            `sgan_tf.load` makes a stack of: a run, a folder of `save`, a name.

    Raises:
        SourceError: when it is nothing that can be served.
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
    """A folder of versions, as export.py writes them; new ones may come at any time."""

    def versions():
        folders = [p for p in path.iterdir() if p.name.isdecimal() and 0 < int(p.name) < 2**63]
        return {int(p.name): _saved_model(p) for p in folders if (p / "saved_model.pb").is_file()}

    return Source(path.resolve().name, versions) if path.is_dir() and versions() else None


def _one_version(path):
    """A SavedModel's own folder."""
    if not (path / "saved_model.pb").is_file():
        return None
    path = path.resolve()
    if path.name.isdecimal() and int(path.name) > 0:
        return Source(path.parent.name, lambda: {int(path.name): _saved_model(path)})
    return Source(path.name, lambda: {1: _saved_model(path)})


def _folder_of_a_stack(path):
    """A run, or what `save` wrote."""
    return _stack(path, path.resolve().name) if (path / "config.json").is_file() else None


def _stack(source, name):
    """A stack that is sampled in this process."""

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
    # What export.py wrote says so, and its signatures are a `ServingModule`'s.
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
    """The error of a SavedModel; clients do not see where it is, nor what TensorFlow says."""
    detail = f" ({first_line(error)})" if error else ""
    return SourceError(f"{shown(path)} {reason}{detail}", f"it {reason}")
