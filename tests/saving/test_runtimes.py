"""What other programs do with an export: all get the images that this process gets."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from processes import EXPORT, ROOT, run

pytestmark = pytest.mark.slow
SIGNATURES = [
    "serving_default",
    "sample_seeded",
    "sample_png",
    "decode",
    "render",
    "encode",
    "variations",
    "describe",
    "lookup",
]


def python(code, *arguments):
    """Runs Python in a process that cannot import Keras or this package; returns its output."""
    blocked = """
import sys
sys.modules["keras"] = sys.modules["sgan_tf"] = None
import numpy as np, tensorflow as tf
"""
    return subprocess.run(
        [sys.executable, "-c", blocked + code, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def test_a_session_gets_the_same_images(model, inputs, images):
    for name, arrays in inputs.items():
        np.testing.assert_allclose(
            model.predict(name, arrays)["images"], images[name], atol=1e-6, err_msg=name
        )


def test_a_program_without_keras_and_sgan_tf_gets_the_same_images(
    exported, inputs, images, tmp_path
):
    np.savez(tmp_path / "inputs.npz", **inputs["sample_seeded"])
    python(
        """
inputs = {k: tf.constant(v, tf.int64) for k, v in np.load(sys.argv[2]).items()}
inputs = {k: tf.gather(v, [7, 2, 5]) for k, v in inputs.items()}
sample = tf.saved_model.load(sys.argv[1]).signatures["sample_seeded"]
np.save(sys.argv[3], sample(**inputs)["images"])
""",
        exported[0],
        tmp_path / "inputs.npz",
        tmp_path / "images.npy",
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "images.npy"), images["sample_seeded"][[7, 2, 5]], atol=1e-5
    )


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    wheel = pathlib.Path(tf.sysconfig.get_lib())
    program = tmp_path_factory.mktemp("c") / "sampler"
    source = pathlib.Path(__file__).with_name("sampler.c")
    names = "libtensorflow_cc.so.2", "libtensorflow_framework.so.2"
    libraries = [*(next(wheel.glob(name)) for name in names), f"-Wl,-rpath,{wheel}"]
    headers = f"-I{tf.sysconfig.get_include()}"
    flags = ["-std=c99", "-Wall", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", program, source, headers, *libraries], check=True)
    return program


def run_c(program, path, model, signature, inputs, tmp_path):
    """Returns `(exit code, stderr, images)`."""
    definition = model.signatures[signature]
    arguments = [*definition.outputs["images"].name.split(":"), tmp_path / "out"]
    for name, array in inputs.items():
        array.tofile(tmp_path / name)
        operation = definition.inputs[name].name.split(":")[0]
        kind = "i" if array.dtype == np.int64 else "f"
        arguments += [operation, kind, str(array.shape[-1]), tmp_path / name]
    done = subprocess.run([program, path, *arguments], capture_output=True, text=True)
    if done.returncode:
        return done.returncode, done.stderr, None
    return 0, done.stderr, np.fromfile(tmp_path / "out", np.float32).reshape(-1, 8, 8, 1)


def test_a_c_program_gets_the_same_images(c_program, exported, model, inputs, images, tmp_path):
    for name, arrays in inputs.items():
        code, err, result = run_c(c_program, exported[0], model, name, arrays, tmp_path)
        assert code == 0, err
        np.testing.assert_allclose(result, images[name], atol=1e-6)


def test_a_wrong_shape_is_named(c_program, exported, model, inputs, tmp_path):
    """Python checks shapes before the graph can; the C API, and so a server, does not."""
    invalid_argument = 3
    narrow = {**inputs["decode"], "z0": inputs["decode"]["z0"][:, :5].copy()}
    code, err, _ = run_c(c_program, exported[0], model, "decode", narrow, tmp_path)
    reason = "assertion failed: [z0 must have the shape [N, 8]; got] [10 5]"
    assert code == 1 and f"{invalid_argument}: {reason}" in err
    flat = {"images": np.zeros((8, 8), np.float32), "seeds": np.zeros(8, np.int64)}
    code, err, _ = run_c(c_program, exported[0], model, "variations", flat, tmp_path)
    reason = "assertion failed: [images must have the shape [N, 8, 8, 1]; got] [8 8]"
    assert code == 1 and f"{invalid_argument}: {reason}" in err


def test_every_warm_up_request_replays(exported, model):
    from tensorflow_serving.apis import prediction_log_pb2

    seen = set()
    records = exported[0] / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(records)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        signature = request.model_spec.signature_name
        arrays = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        outputs = model.predict(signature, arrays)
        assert {len(rows) for rows in outputs.values()} == {1}
        seen.add(signature)
    assert seen == set(SIGNATURES)


def test_fresh_noise_in_every_process_and_thread(exported):
    code = """
import hashlib, threading
sample = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
seen = []
def ask():
    for _ in range(150):
        image = sample(labels=tf.constant([3], tf.int64))["images"].numpy()
        seen.append(hashlib.sha256(image.tobytes()).hexdigest())
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
print("\\n".join(seen))
"""
    first, second = (python(code, exported[0]).split() for _ in range(2))
    assert len(set(first)) == len(set(second)) == 1200
    assert not set(first) & set(second)


def test_onnx_and_litert_decode_the_same_images(finished, inputs, images, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    pytest.importorskip("tf2onnx")
    for format in ("onnx", "litert"):
        out, _ = run(
            EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path, "--format", format]
        )
        assert "differs from TensorFlow's images by" in out
        assert (tmp_path / f"whole-{format}" / "1" / "metadata.json").exists()
    expected = images["decode"]
    session = onnxruntime.InferenceSession(str(tmp_path / "whole-onnx" / "1" / "model.onnx"))
    np.testing.assert_allclose(session.run(["images"], inputs["decode"])[0], expected, atol=1e-4)
    path = tmp_path / "whole-litert" / "1" / "model.tflite"
    lite = interpreter.Interpreter(str(path))
    result = lite.get_signature_runner()(**inputs["decode"])["images"]
    np.testing.assert_allclose(result, expected, atol=1e-4)

    # What the inputs may be stands in the files, and a label that is no class is an error.
    limits = "Labels are integers in [0, 10), in the order of the classes; noise (z0, z1, …) is"
    assert session.get_modelmeta().description.startswith(f"{limits} uniform on [0, 1).")
    assert f"{limits} uniform on [0, 1).".encode() in path.read_bytes()
    wrong = {**inputs["decode"], "labels": inputs["decode"]["labels"] + 1}  # the last is 10
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session.run(["images"], wrong)
    for offset in (1, -1):
        wrong["labels"] = inputs["decode"]["labels"] + offset
        with pytest.raises(RuntimeError, match="gather"):
            interpreter.Interpreter(str(path)).get_signature_runner()(**wrong)


# All are in TensorFlow 2.16.2, which loads an export and samples the same images.
OPS_OF_2_16 = """
AddV2 All Any ArgMax Assert AssignVariableOp BiasAdd BitwiseOr Cast ConcatV2 Const Conv2D
Conv2DBackpropInput DisableCopyOnRead EncodePng EnsureShape Equal ExpandDims FloorMod GatherV2
GreaterEqual Identity If IsFinite LeakyRelu LeftShift Less LessEqual LogicalAnd LogicalNot MatMul
MaxPool Maximum MergeV2Checkpoints Minimum Mul NoOp OneHot Pack Pad PartitionedCall Placeholder
PlaceholderWithDefault Prod RandomUniform Range Rank ReadVariableOp Relu Reshape RestoreV2 Round
Rsqrt SaveV2 Select Shape ShardedFilename Sigmoid Size Softmax SplitV Squeeze
StatefulPartitionedCall StatelessRandomUniformFullIntV2 StatelessRandomUniformV2 StatelessWhile
StaticRegexFullMatch StridedSlice StringJoin Sub TensorListFromTensor TensorListGetItem
TensorListReserve TensorListSetItem TensorListStack Tile VarHandleOp Where
"""


def test_the_graph_uses_ops_that_older_servers_have(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    content = (exported[0] / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    functions = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(n for function in graph.library.function for n in function.node_def)]
    assert {node.op for node in nodes} - functions <= set(OPS_OF_2_16.split())
    assert graph.versions.min_consumer <= 12


def test_an_export_of_version_0_1_0_still_samples():
    """The images kept beside it are the stack's for ten labels and seed 1, drawn by 0.1.0."""
    old = ROOT / "tests" / "fixtures" / "v0.1.0"
    signatures = tf.saved_model.load(str(old / "export")).signatures
    assert set(signatures) == set(SIGNATURES) - {"describe"}  # which is younger
    labels = tf.range(10, dtype=tf.int64)
    noise = {
        f"z{i}": tf.random.stateless_uniform([10, dim], [1, i]) for i, dim in enumerate((8, 16))
    }
    images = signatures["decode"](labels=labels, **noise)["images"]
    np.testing.assert_allclose(images, np.load(old / "samples.npy"), atol=1e-6)
    seeded = signatures["sample_seeded"](labels=labels, seeds=labels)["images"].numpy()
    pngs = signatures["sample_png"](labels=labels, seeds=labels)["image_bytes"]
    drawn = np.stack([tf.io.decode_png(png).numpy() for png in pngs])
    np.testing.assert_array_equal(drawn, np.round(seeded * 255))
    for bad, message in (
        ({"labels": labels + 1, "seeds": labels}, r"labels must lie in \[0, 10\)"),
        ({"labels": labels, "seeds": labels[1:]}, "must have the same number of rows"),
        (dict.fromkeys(("labels", "seeds"), tf.zeros([1025], tf.int64)), "at most 1024 rows"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signatures["sample_seeded"](**bad)
