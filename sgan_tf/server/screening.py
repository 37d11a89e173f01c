"""Checks what a SavedModel would do before it is loaded, because a SavedModel is a program.

In a SavedModel from others this finds signatures that cannot be called over the network, and
operations through which a request, or the loading itself, could reach the server's files, Python or
network. It finds them at any depth: nested functions are in the same library. It does not make an
untrusted model safe: operations may have memory errors, and a model may compute for any time.
"""

import re
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# The TensorFlow types (DT_FLOAT, …) that JSON and TF Serving's messages can hold.
CARRIED = (
    *("BOOL", "STRING", "HALF", "BFLOAT16", "FLOAT", "DOUBLE"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
)
# No sampler needs these operations, which could reveal or change data of the server.
REACHING_OUT = re.compile(
    # Operations that read or write files.
    r"(Read|Write|Matching)Files?|PrintV2|ImmutableConst|LoadAndRemapMatrix|GenerateVocabRemapping"
    r"|(WholeFile|TextLine|TFRecord|FixedLengthRecord|LMDB)(Reader|Dataset)(V\d)?|RecordInput"
    r"|(Experimental)?(CSV|Sql|LMDB|MatchingFiles)Dataset(V\d)?|(Experimental)?DatasetToTFRecord"
    r"|(Cache|Save|Load|Snapshot)Dataset(V\d)?|Snapshot\w+|ListSnapshotChunksDataset"
    r"|DistributedSave|CreateSummary(File|Db)Writer|Debug(Identity|NanCount|NumericSummary)(V\d)?"
    r"|InitializeTableFromTextFile(V\d)?|FixedUnigramCandidateSampler|Skipgram|DumpTensor"
    r"|CalibrationStatisticsSaver|FileSystemSetConfiguration"
    # Python, graphs that are passed as data, and other machines.
    r"|(Eager)?PyFunc(Stateless)?|DatasetFromGraph|RemoteCall|Rpc\w+"
    r"|(DataService|Register)Dataset(V\d)?"
)
# Checkpoint operations, which are in the saver of every SavedModel.
CHECKPOINTS = re.compile(r"(DTensor)?(Save|Restore)(V2|Slices?)?|MergeV2Checkpoints")


def unfit(content: bytes) -> str | None:
    """Returns the reason why a SavedModel should not be served, if there is one.

    Args:
        content: Bytes. The content of `saved_model.pb`.

    Returns:
        String or None. The rest of a sentence that starts with the model's name; None if nothing
        was found.
    """
    try:
        model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError:
        return "is not a SavedModel"
    graphs = [g for g in model.meta_graphs if "serve" in g.meta_info_def.tags]
    if len(graphs) != 1:
        return "has no graph with the tag 'serve'"
    (graph,) = graphs
    signatures = {n: s for n, s in graph.signature_def.items() if not n.startswith("__saved_model")}
    if not signatures:
        return "has no signatures"
    carried = {types_pb2.DataType.Value(f"DT_{name}") for name in CARRIED}
    for name, signature in signatures.items():
        for tensor, info in [*signature.inputs.items(), *signature.outputs.items()]:
            if info.WhichOneof("encoding") != "name" or info.dtype not in carried:
                return (
                    f"has a signature {name} whose {tensor} is no dense tensor of numbers or "
                    "strings"
                )
    ops = {op for op in _all_ops(graph) if REACHING_OUT.fullmatch(op)}
    ops |= {op for op in _ops_that_run(graph) if CHECKPOINTS.fullmatch(op)}
    if ops:
        return (
            "reads or writes files, asks other machines or runs Python, when it is loaded or "
            f"called ({', '.join(sorted(ops))}); it is not served"
        )
    return None


def _all_ops(graph):
    yield from (node.op for node in graph.graph_def.node)
    for function in graph.graph_def.library.function:
        yield from (node.op for node in function.node_def)


def _ops_that_run(graph: meta_graph_pb2.MetaGraphDef) -> Iterator[str]:
    """Yields the operations that signatures and loading run, which excludes those of the saver."""
    bodies = {("node", node.name): [node] for node in graph.graph_def.node}
    bodies |= {("function", f.signature.name): f.node_def for f in graph.graph_def.library.function}
    waiting = {
        ("node", _node(info.name))
        for signature in graph.signature_def.values()
        for info in signature.outputs.values()
    }
    # Functions that Python calls: signatures, and those that create tables.
    waiting |= {("function", name) for name in graph.object_graph_def.concrete_functions}
    visited = set()
    while waiting:
        key = waiting.pop()
        if key in visited or key not in bodies:
            continue
        visited.add(key)
        for node in bodies[key]:
            yield node.op
            waiting |= {("function", name) for name in _called(node)}
            if key[0] == "node":  # all nodes of a function run
                waiting |= {("node", _node(tensor)) for tensor in node.input}


def _node(tensor):
    """Returns the node's name from the name of a tensor or a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def _called(node):
    """Yields the names of functions that a node may call."""
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
