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

from sgan_tf import hub, pretrained
from sgan_tf.errors import UserError, first_line, shown

MAX_BATCH = 1024  # rows of a request, where the source does not say
# What JSON and TF Serving's messages can carry, of TensorFlow's types (DT_FLOAT, …).
CARRIED = (
    *("BOOL", "STRING", "HALF", "BFLOAT16", "FLOAT", "DOUBLE"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
)
# Ops that read or write files, or run Python: no sampler needs one, and a request would reach it.
REACHING_OUT = re.compile(
    r"(Read|Write|Matching)Files?|PrintV2|(Eager)?PyFunc(Stateless)?|DebugIdentity(V\d)?"
    r"|(WholeFile|TextLine|TFRecord|FixedLengthRecord|LMDB)(Reader|Dataset)(V\d)?"
    r"|(Experimental)?(CSV|Sql|LMDB|MatchingFiles)Dataset(V\d)?|ImmutableConst"
    r"|(Save|Load|Snapshot)Dataset(V\d)?|(Experimental)?DatasetToTFRecord"
    r"|CreateSummary(File|Db)Writer"
)


class SourceError(UserError):
    """A source that cannot be served; the message says why."""


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
        from sgan_tf.loading import load
        from sgan_tf.serving.sampler import Sampler
        from sgan_tf.serving.warmup import warmup_inputs

        try:
            stack = load(source)
        except UserError as error:
            reason = re.sub("^`(source|run_dir)`: ", "", str(error))
            raise SourceError(f"`model`: {reason}") from error
        sampler = Sampler(stack, stack.class_names, MAX_BATCH)
        warm_up = warmup_inputs(sampler).items()
        return Servable(
            *(sampler.functions, True, MAX_BATCH, stack.class_names, warm_up),
            owner=(stack, sampler),
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

    from sgan_tf.serving.export import WARM_UP_FILE
    from sgan_tf.serving.warmup import read_warmup

    check(path)
    try:
        loaded = tf.saved_model.load(str(path))
        functions = dict(loaded.signatures)
        warm_up = read_warmup(path / "assets.extra" / WARM_UP_FILE)
    except (
        *(tf.errors.OpError, DecodeError),
        *(OSError, ValueError, TypeError, KeyError, AttributeError),
    ) as error:
        raise SourceError(f"{shown(path)} cannot be loaded ({first_line(error)})") from error
    facts = _facts(path)
    # What export.py wrote says so, and its signatures are the Sampler's.
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


def check(path: pathlib.Path) -> None:
    """Reads what a SavedModel would do, before it is loaded.

    A SavedModel is a program. This finds signatures that cannot be called over the network, and
    ops that would give a request the server's files; it makes no foreign model safe.

    Args:
        path: Of one version.

    Raises:
        SourceError: when it should not be served; the message names the signature or the ops.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    carried = {types_pb2.DataType.Value(f"DT_{name}") for name in CARRIED}
    try:
        content = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise SourceError(f"{shown(path)} is not a SavedModel ({first_line(error)})") from error
    graphs = [g for g in content.meta_graphs if "serve" in g.meta_info_def.tags]
    if len(graphs) != 1:
        raise SourceError(f"{shown(path)} has no graph with the tag 'serve'")
    (graph,) = graphs
    signatures = {n: s for n, s in graph.signature_def.items() if not n.startswith("__saved_model")}
    if not signatures:
        raise SourceError(f"{shown(path)} has no signatures")
    for name, signature in signatures.items():
        for tensor, info in [*signature.inputs.items(), *signature.outputs.items()]:
            if info.WhichOneof("encoding") != "name" or info.dtype not in carried:
                raise SourceError(
                    f"{shown(path)}: {tensor} of the signature {name} is no dense tensor of "
                    "numbers or strings"
                )
    library = (node for function in graph.graph_def.library.function for node in function.node_def)
    ops = {node.op for node in (*graph.graph_def.node, *library) if REACHING_OUT.fullmatch(node.op)}
    if ops:
        raise SourceError(
            f"{shown(path)} reads or writes files, or runs Python, when it is called "
            f"({', '.join(sorted(ops))}); it is not served"
        )
