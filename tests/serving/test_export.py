"""export.py, and what other programs can do with what it writes."""

import json
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from processes import EXPORT, ROOT, on_two_devices, refused, run, start
from serving_double import Model

import sgan_tf
from sgan_tf.serving import export as exporting

pytestmark = pytest.mark.slow
LABELS, SEEDS = np.arange(10) % 10, np.arange(10) * 1000 + 7


@pytest.fixture(scope="module")
def model(exported):
    return Model(exported[0])


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    return {
        "z0": rng.random((10, 8), dtype=np.float32),
        "z1": rng.random((10, 16), dtype=np.float32),
    }


@pytest.fixture(scope="module")
def images(exported, noise):
    """What this process gets from the export: `{signature: images}`."""
    signatures = tf.saved_model.load(str(exported[0])).signatures
    labels, seeds = tf.constant(LABELS, tf.int64), tf.constant(SEEDS, tf.int64)
    return {
        "decode": signatures["decode"](
            labels=labels, **{n: tf.constant(z) for n, z in noise.items()}
        )["images"].numpy(),
        "sample_seeded": signatures["sample_seeded"](labels=labels, seeds=seeds)["images"].numpy(),
    }


def python(code, *arguments):
    """Runs Python in a process that cannot import Keras or this package; returns what it prints."""
    blocked = 'import sys\nsys.modules["keras"] = sys.modules["sgan_tf"] = None\nimport numpy as np, tensorflow as tf\n'
    return subprocess.run(
        [sys.executable, "-c", blocked + code, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def test_the_exports_images_are_the_runs(finished, images, noise):
    stack = sgan_tf.load(finished[0])
    np.testing.assert_allclose(
        images["decode"], stack.decode(LABELS, list(noise.values())), atol=1e-5
    )


def test_what_travels_with_it(finished, exported):
    path, out = exported
    facts = json.loads((path / "assets" / "metadata.json").read_text())
    assert (
        facts["data"]["name"] == "digits"
        and facts["config"]["levels"][0]["z_dim"] == 8
        and facts["version"] == 1
    )
    assert (
        facts["metrics"]["last_epoch"]["joint"]["epoch"] == 2
        and 0 < facts["metrics"]["encoder"]["test_accuracy"] < 1
    )
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["signatures"]["decode"] == {
        "inputs": {"labels": "int64 [N]", "z0": "float32 [N, 8]", "z1": "float32 [N, 16]"},
        "outputs": {"images": "float32 [N, 8, 8, 1]"},
    }
    assert (path / "assets" / "class_names.txt").read_text().split() == [str(d) for d in range(10)]
    card = (path / "assets" / "README.md").read_text()
    assert "CC BY 4.0" in card and "## Intended use and limits" in card and "`sample_png`" in card
    assert str(path) in out and Image.open(path / "assets" / "samples.png").size >= (320, 320)


def test_weights_are_there_once(exported):
    names = tf.train.list_variables(str(exported[0] / "variables" / "variables"))
    stored = sum(
        int(np.prod(shape)) for name, shape in names if not name.startswith("_CHECKPOINTABLE")
    )
    stack = sgan_tf.stages.build(sgan_tf.make_config(), (8, 8, 1), 10)[1]
    networks = [
        *stack.encoder.stages,
        *(
            n
            for level in stack.levels
            for n in (level.generator, level.discriminator.trunk, level.discriminator.posterior)
        ),
    ]
    assert stored <= sum(network.count_params() for network in networks) + 10


def test_the_printed_commands_work(exported, tmp_path):
    path, out = exported
    show, sample, curl = [
        shlex.split(line)
        for line in out.splitlines()
        if line.startswith(("saved_model_cli", "curl"))
    ]
    program = pathlib.Path(sys.executable).parent / "saved_model_cli"
    shown = subprocess.run([program, *show[1:]], check=True, capture_output=True, text=True).stdout
    assert "inputs['labels']" in shown and "shape: (-1, 8, 8, 1)" in shown
    subprocess.run([program, *sample[1:], "--outdir", tmp_path], check=True, capture_output=True)
    assert np.load(tmp_path / "images.npy").shape == (2, 8, 8, 1)
    request = json.loads(curl[curl.index("-d") + 1])
    inputs = {name: np.array(rows, np.int64) for name, rows in request["inputs"].items()}
    assert Model(path).predict(request["signature_name"], inputs)["images"].shape == (2, 8, 8, 1)


def test_a_session_gets_the_same_images(model, images, noise):
    np.testing.assert_allclose(
        model.predict("decode", {"labels": LABELS, **noise})["images"], images["decode"], atol=1e-6
    )
    np.testing.assert_allclose(
        model.predict("sample_seeded", {"labels": LABELS, "seeds": SEEDS})["images"],
        images["sample_seeded"],
        atol=1e-6,
    )


def test_a_program_without_keras_and_sgan_tf_gets_the_same_images(exported, images, tmp_path):
    np.savez(tmp_path / "inputs.npz", labels=LABELS, seeds=SEEDS)
    python(
        """
inputs = {k: tf.constant(v, tf.int64) for k, v in np.load(sys.argv[2]).items()}
order = [7, 2, 5]
inputs = {k: tf.gather(v, order) for k, v in inputs.items()}
np.save(sys.argv[3], tf.saved_model.load(sys.argv[1]).signatures["sample_seeded"](**inputs)["images"])
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
    libraries = [
        str(next(wheel.glob(name)))
        for name in ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
    ]
    subprocess.run(
        [
            "gcc",
            "-std=c99",
            "-Wall",
            "-Werror",
            "-o",
            program,
            ROOT / "tests" / "sampler.c",
            f"-I{tf.sysconfig.get_include()}",
            *libraries,
            f"-Wl,-rpath,{wheel}",
        ],
        check=True,
    )
    return program


def run_c(program, path, model, signature, inputs, tmp_path):
    """Returns `(exit code, stderr, images)`."""
    definition = model.signatures[signature]
    output = definition.outputs["images"].name.split(":")
    arguments = [program, path, output[0], output[1], tmp_path / "out"]
    for name, array in inputs.items():
        array.tofile(tmp_path / name)
        kind = "i" if array.dtype == np.int64 else "f"
        arguments += [
            definition.inputs[name].name.split(":")[0],
            kind,
            str(array.shape[-1]),
            tmp_path / name,
        ]
    done = subprocess.run(arguments, capture_output=True, text=True)
    return (
        done.returncode,
        done.stderr,
        np.fromfile(tmp_path / "out", np.float32).reshape(-1, 8, 8, 1)
        if done.returncode == 0
        else None,
    )


def test_a_c_program_gets_the_same_images(c_program, exported, model, images, noise, tmp_path):
    for signature, inputs in {
        "decode": {"labels": LABELS, **noise},
        "sample_seeded": {"labels": LABELS, "seeds": SEEDS},
    }.items():
        code, err, result = run_c(c_program, exported[0], model, signature, inputs, tmp_path)
        assert code == 0, err
        np.testing.assert_allclose(result, images[signature], atol=1e-6)


def test_a_wrong_shape_is_named(c_program, exported, model, noise, tmp_path):
    """Python checks shapes before the graph can; the C API, and so a server, does not."""
    invalid_argument = 3
    inputs = {"labels": LABELS, "z0": noise["z0"][:, :5].copy(), "z1": noise["z1"]}
    code, err, _ = run_c(c_program, exported[0], model, "decode", inputs, tmp_path)
    assert (
        code == 1
        and f"{invalid_argument}: assertion failed: [z0 must have the shape [N, 8]; got] [10 5]"
        in err
    )


def test_every_warm_up_request_replays(exported, model):
    from tensorflow_serving.apis import prediction_log_pb2

    seen = set()
    for record in tf.data.TFRecordDataset(
        str(exported[0] / "assets.extra" / "tf_serving_warmup_requests")
    ).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        signature = request.model_spec.signature_name
        outputs = model.predict(
            signature, {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        )
        assert {len(rows) for rows in outputs.values()} == {1}
        seen.add(signature)
    assert seen == {
        "serving_default",
        "sample_seeded",
        "sample_png",
        "decode",
        "render",
        "encode",
        "variations",
        "lookup",
    }


def test_fresh_noise_in_every_process_and_thread(exported):
    code = """
import hashlib, threading
sample = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
seen = []
def ask():
    for _ in range(150):
        seen.append(hashlib.sha256(sample(labels=tf.constant([3], tf.int64))["images"].numpy().tobytes()).hexdigest())
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
print("\\n".join(seen))
"""
    first, second = (python(code, exported[0]).split() for _ in range(2))
    assert len(set(first)) == len(set(second)) == 1200
    assert not set(first) & set(second)


def test_an_export_from_two_devices_is_the_same(finished, exported, images, noise, tmp_path):
    run(
        on_two_devices("export"),
        ["--run_dir", finished[0], "--export_dir", tmp_path, "--devices", "2"],
    )
    mirrored, single = tmp_path / "whole" / "1", exported[0]
    names = [name for name, _ in tf.train.list_variables(str(single / "variables" / "variables"))]
    assert names == [
        name for name, _ in tf.train.list_variables(str(mirrored / "variables" / "variables"))
    ]
    for name in names[1:]:  # the first is the object graph
        np.testing.assert_array_equal(
            *(
                tf.train.load_variable(str(path / "variables" / "variables"), name)
                for path in (single, mirrored)
            ),
            err_msg=name,
        )
    np.testing.assert_array_equal(
        Model(mirrored).predict("decode", {"labels": LABELS, **noise})["images"],
        Model(single).predict("decode", {"labels": LABELS, **noise})["images"],
    )


def test_versions(finished, exported, tmp_path):
    folder = tmp_path / "exports"
    shutil.copytree(exported[0].parent, folder / "whole")
    arguments = ["--run_dir", finished[0], "--export_dir", folder]
    assert "exists already" in refused(EXPORT, [*arguments, "--version", "1"])
    run(EXPORT, [*arguments, "--version", "7"])
    assert sorted(p.name for p in (folder / "whole").iterdir() if p.name != ".lock") == ["1", "7"]


def test_killed_at_any_moment_it_leaves_no_broken_version(finished, tmp_path):
    folder = tmp_path / "whole"

    def partial(name):
        return lambda: any((p / name).exists() for p in folder.glob(".partial-*"))

    for moment in (
        partial(""),
        partial("saved_model.pb"),
        partial("assets.extra"),
        lambda: (folder / "1").exists(),
    ):
        process = start(EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path])
        deadline = time.monotonic() + 120
        while not moment():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for version in folder.glob("[0-9]*"):
            assert Model(version).predict("serving_default", {"labels": LABELS})[
                "images"
            ].shape == (10, 8, 8, 1)
    assert (folder / "1").exists()
    run(EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path])
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "1",
        "2",
    ]  # and nothing is left of the killed ones


def test_what_cannot_be_exported(finished, tmp_path):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(finished[0], unfinished)
    (unfinished / "checkpoints" / "joint.safetensors").unlink()
    damaged = tmp_path / "damaged"
    shutil.copytree(finished[0], damaged)
    checkpoint = damaged / "checkpoints" / "level0.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    exports = tmp_path / "exports"
    for run_dir, message in (
        (unfinished, "joint (step 0)"),
        (damaged, "level0.safetensors is damaged"),
        (tmp_path, "is not a run of sgan_tf"),
    ):
        assert message in refused(EXPORT, ["--run_dir", run_dir, "--export_dir", exports])
    assert not exports.exists() or not list(exports.glob("*/[0-9]*"))
    arguments = ["--run_dir", finished[0]]
    assert "cannot write to" in refused(EXPORT, [*arguments, "--export_dir", "/proc/exports"])
    assert "--version: 0 is not above 0" in refused(
        EXPORT, [*arguments, "--export_dir", exports, "--version", "0"]
    )
    assert "--name: '../x'" in refused(
        EXPORT, [*arguments, "--export_dir", exports, "--name", "../x"]
    )
    assert "--format" in refused(EXPORT, [*arguments, "--format", "caffe"])


def test_two_exports_do_not_write_to_one_folder(tmp_path):
    with (
        exporting._sole_writer(tmp_path / "m"),
        pytest.raises(exporting.ExportError, match="another export writes"),
        exporting._sole_writer(tmp_path / "m"),
    ):
        pass


def test_onnx_and_litert_decode_the_same_images(finished, images, noise, tmp_path):
    onnxruntime, interpreter = (
        pytest.importorskip("onnxruntime"),
        pytest.importorskip("ai_edge_litert.interpreter"),
    )
    pytest.importorskip("tf2onnx")
    for form in ("onnx", "litert"):
        out, _ = run(EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path, "--format", form])
        assert "differs from TensorFlow's images by" in out
    inputs = {"labels": LABELS, **noise}
    session = onnxruntime.InferenceSession(str(tmp_path / "whole-onnx" / "1" / "model.onnx"))
    np.testing.assert_allclose(session.run(["images"], inputs)[0], images["decode"], atol=1e-4)
    runner = interpreter.Interpreter(
        str(tmp_path / "whole-litert" / "1" / "model.tflite")
    ).get_signature_runner()
    np.testing.assert_allclose(runner(**inputs)["images"], images["decode"], atol=1e-4)


# All are in TensorFlow 2.16.2, which loads an export and samples the same images.
OPS_OF_2_16 = """
AddV2 All Any ArgMax Assert AssignVariableOp BiasAdd BitwiseOr Cast ConcatV2 Const Conv2D Conv2DBackpropInput DisableCopyOnRead EncodePng EnsureShape
Equal FloorMod GatherV2 GreaterEqual Identity If LeakyRelu LeftShift Less LessEqual LogicalAnd LogicalNot MatMul MaxPool Maximum MergeV2Checkpoints
Minimum Mul NoOp OneHot Pack Pad Placeholder PlaceholderWithDefault Prod RandomUniform Range Rank ReadVariableOp Relu Reshape RestoreV2 Round Rsqrt
SaveV2 Select Shape ShardedFilename Sigmoid Softmax SplitV Squeeze StatefulPartitionedCall StatelessRandomUniformFullIntV2 StatelessRandomUniformV2
StatelessWhile StaticRegexFullMatch StridedSlice StringJoin Sub TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem
TensorListStack VarHandleOp Where
"""


def test_the_graph_uses_ops_that_older_servers_have(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    graph = (
        saved_model_pb2.SavedModel.FromString((exported[0] / "saved_model.pb").read_bytes())
        .meta_graphs[0]
        .graph_def
    )
    functions = {function.signature.name for function in graph.library.function}
    ops = {node.op for node in graph.node} | {
        node.op for function in graph.library.function for node in function.node_def
    }
    assert ops - functions <= set(OPS_OF_2_16.split())
    assert graph.versions.min_consumer <= 12


def test_the_server_configurations_are_valid():
    import yaml
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    deploy = ROOT / "deploy"
    models = text_format.Parse(
        (deploy / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    assert models.model_config_list.config[0].name == "sgan"
    compose = yaml.safe_load((deploy / "docker-compose.yml").read_text())
    assert set(compose["services"]) == {"cpu", "gpu"}
    manifest = list(yaml.safe_load_all((deploy / "kubernetes.yaml").read_text()))
    assert [part["kind"] for part in manifest] == ["ConfigMap", "Deployment", "Service"]
    mounted = {volume.split(":")[0] for volume in compose["services"]["cpu"]["volumes"]}
    for name, text in manifest[0]["data"].items():  # both ways to deploy use one configuration
        own = (deploy / name).read_text()
        assert (
            f"./{name}" in mounted
            and [line for line in own.splitlines() if not line.startswith("#")] == text.splitlines()
        )
