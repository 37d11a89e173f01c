"""SavedModels that others wrote: what they would do is seen before they are loaded."""

import re

import pytest
import tensorflow as tf
from processes import ROOT
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

from sgan_tf.server import screening
from sgan_tf.server.model import Model
from sgan_tf.server.servable import SourceError, open_source

TEXT = tf.TensorSpec([], tf.string, "path")


def saved(path, function, **attributes):
    """Writes a SavedModel whose signature is a function of `path`, a string, to a string."""
    module = tf.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    outer = tf.function(lambda path: {"y": function(path)}, input_signature=[TEXT])
    module.outer = outer
    tf.saved_model.save(module, str(path / "1"), signatures=outer)
    return path


def _write(path):
    tf.io.write_file(path, "x")
    return path


def _in_a_branch(path):
    return tf.cond(tf.equal(path, ""), lambda: path, lambda: tf.io.read_file(path))


def _in_a_loop(path):
    return tf.map_fn(tf.io.read_file, path[None])[0]


def _in_a_data_set(path):
    files = tf.data.Dataset.from_tensors(path).map(tf.io.read_file)
    return files.reduce(tf.constant(""), lambda old, new: old + new)


def _save(path):
    tf.raw_ops.SaveV2(prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[[1.0]])
    return path


def _restore(path):
    (found,) = tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.string]
    )
    return found


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (tf.io.read_file, "ReadFile"),
        (_write, "WriteFile"),
        (_in_a_branch, "ReadFile"),
        (_in_a_loop, "ReadFile"),
        (_in_a_data_set, "ReadFile"),
        (_save, "SaveV2"),
        (_restore, "RestoreV2"),
    ],
)
def test_an_operation_in_a_function_of_a_function_is_found(tmp_path, function, op):
    inner = tf.function(function)  # called by a StatefulPartitionedCall, and by one in that
    middle = tf.function(lambda path: inner(path) + "")
    model = saved(tmp_path / "foreign", middle, variable=tf.Variable(1.0))
    with pytest.raises(SourceError) as caught:
        Model(open_source(model)).refresh()
    (line,) = str(caught.value).splitlines()
    assert str(model / "1") in line and f"({op}); it is not served" in line
    assert caught.value.reason == f"it {line.partition(' ')[2]}"


def test_what_runs_when_it_is_loaded_is_seen_too(tmp_path):
    words = tmp_path / "words"
    words.write_text("a\nb\n")
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(str(words), tf.string, -2, tf.int64, -1), 1
    )
    model = saved(tmp_path / "m", lambda path: tf.as_string(table.lookup(path)), table=table)
    reason = screening.unfit((model / "1" / "saved_model.pb").read_bytes())
    assert "(InitializeTableFromTextFileV2)" in reason


def test_models_that_compute_are_fit(tmp_path):
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], ["b"]), "")
    model = saved(tmp_path / "m", table.lookup, table=table, variable=tf.Variable(1.0))
    ours = ROOT / "tests" / "fixtures" / "v0.1.0" / "export"
    for path in (model / "1", ours):
        assert screening.unfit((path / "saved_model.pb").read_bytes()) is None


def test_no_operation_of_tensorflow_that_names_files_is_left_out():
    """A new version of TensorFlow may have others."""
    named = re.compile(r"(\w+_)?(file(_?name)?s?|paths?|prefix|address|dir(ectory)?)|file_pattern")
    operations = op_def_pb2.OpList.FromString(
        pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    )
    left = {
        operation.name
        for operation in operations.op
        if any(named.fullmatch(arg.name) for arg in (*operation.input_arg, *operation.attr))
        and not screening.REACHING_OUT.fullmatch(operation.name)
        and not screening.CHECKPOINTS.fullmatch(operation.name)
    }
    # A prefix of counters, paths of a beam search, and whether strings are names of files.
    counters = {"SetStatsAggregatorDataset", "ExperimentalSetStatsAggregatorDataset"}
    assert left <= counters | {"CTCBeamSearchDecoder", "TensorSliceDataset"}
