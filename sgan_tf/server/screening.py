"""What a SavedModel would do, read before it is loaded: a SavedModel is a program.

Of one that others wrote this finds signatures that cannot be called over the network, and
operations that would give a request, or the loading itself, the server's files, Python or network,
wherever they stand: functions in functions are in the same library. It makes no foreign model safe:
operations may be wrong in their memory, and a model computes for as long as it likes.
"""

import re
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# What JSON and TF Serving's messages can carry, of TensorFlow's types (DT_FLOAT, …).
CARRIED = (
    *("BOOL", "STRING", "HALF", "BFLOAT16", "FLOAT", "DOUBLE"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
)
# No sampler needs one of these, and they would hand out or change what is the server's.
REACHING_OUT = re.compile(
    # Files, by their names.
    r"(Read|Write|Matching)Files?|PrintV2|ImmutableConst|LoadAndRemapMatrix|GenerateVocabRemapping"
    r"|(WholeFile|TextLine|TFRecord|FixedLengthRecord|LMDB)(Reader|Dataset)(V\d)?|RecordInput"
    r"|(Experimental)?(CSV|Sql|LMDB|MatchingFiles)Dataset(V\d)?|(Experimental)?DatasetToTFRecord"
    r"|(Cache|Save|Load|Snapshot)Dataset(V\d)?|Snapshot\w+|ListSnapshotChunksDataset"
    r"|DistributedSave|CreateSummary(File|Db)Writer|Debug(Identity|NanCount|NumericSummary)(V\d)?"
    r"|InitializeTableFromTextFile(V\d)?|FixedUnigramCandidateSampler|Skipgram|DumpTensor"
    r"|CalibrationStatisticsSaver|FileSystemSetConfiguration"
    # Python, graphs that come as data, other machines.
    r"|(Eager)?PyFunc(Stateless)?|DatasetFromGraph|RemoteCall|Rpc\w+"
    r"|(DataService|Register)Dataset(V\d)?"
)
# Checkpoints, which every SavedModel's own saver reads and writes.
CHECKPOINTS = re.compile(r"(DTensor)?(Save|Restore)(V2|Slices?)?|MergeV2Checkpoints")


def unfit(content: bytes) -> str | None:
    """Says why a SavedModel is not to be served.

    Args:
        content: Of its `saved_model.pb`.

    Returns:
        What follows its name in a sentence; None where nothing was found.
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
    """The operations that signatures and loading lead to; those of the saver are not among them."""
    bodies = {("node", node.name): [node] for node in graph.graph_def.node}
    bodies |= {("function", f.signature.name): f.node_def for f in graph.graph_def.library.function}
    waiting = {
        ("node", _node(info.name))
        for signature in graph.signature_def.values()
        for info in signature.outputs.values()
    }
    # What Python calls: signatures, and what makes tables.
    waiting |= {("function", name) for name in graph.object_graph_def.concrete_functions}
    seen = set()
    while waiting:
        key = waiting.pop()
        if key in seen or key not in bodies:
            continue
        seen.add(key)
        for node in bodies[key]:
            yield node.op
            waiting |= {("function", name) for name in _called(node)}
            if key[0] == "node":  # all nodes of a function run
                waiting |= {("node", _node(tensor)) for tensor in node.input}


def _node(tensor):
    """The name of a node out of a tensor's, or a control input's."""
    return tensor.removeprefix("^").partition(":")[0]


def _called(node):
    """Names of what may be functions that a node calls."""
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
