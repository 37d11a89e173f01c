"""export.py: what it writes, what it refuses, and what is left when it is killed."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from processes import EXPORT, fork, on_two_devices, refused, run
from session import Model

import sgan_tf
from sgan_tf.runs.run import Run
from sgan_tf.saving import export as exporting
from sgan_tf.utils.files import sole_writer

pytestmark = pytest.mark.slow


def test_the_exports_images_are_the_runs(finished, inputs, images):
    labels, *noise = inputs["decode"].values()
    expected = sgan_tf.load(finished[0]).decode(labels, noise)
    np.testing.assert_allclose(images["decode"], expected, atol=1e-5)


def test_what_travels_with_it(exported):
    path, out = exported
    facts = json.loads((path / "assets" / "metadata.json").read_text())
    assert facts["data"]["name"] == "digits" and facts["config"]["levels"][0]["z_dim"] == 8
    assert facts["version"] == 1 and facts["format"] == "savedmodel"
    metrics = facts["metrics"]
    assert metrics["last_epoch"]["joint"]["epoch"] == 2
    assert 0 < metrics["encoder"]["test_accuracy"] < 1
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["signatures"]["decode"] == {
        "inputs": {"labels": "int64 [N]", "z0": "float32 [N, 8]", "z1": "float32 [N, 16]"},
        "outputs": {"images": "float32 [N, 8, 8, 1]"},
    }
    assert (path / "assets" / "class_names.txt").read_text().split() == [str(d) for d in range(10)]
    card = (path / "assets" / "README.md").read_text()
    assert "1,797 handwritten digits of 8 x 8 pixels" in card and "CC BY 4.0" in card
    assert "## Intended use and limits" in card and "`sample_png`" in card
    assert str(path) in out
    width, height = Image.open(path / "assets" / "samples.png").size
    assert width >= 320 and height >= 320


def test_weights_are_there_once(finished, exported):
    """All of E and G, of D what Q's estimate takes: no logits, no optimizer, no dropout's seeds."""
    stack = sgan_tf.load(finished[0])
    needed = sum(_size(network.weights) for network in stack.encoder.stages)
    for level in stack.levels:
        needed += _size(level.generator.weights) + _size(level.discriminator.weights)
        h = tf.zeros([1, *stack.encoder.shapes[level.index]])
        trainable = [v.value for v in level.discriminator.trainable_variables]
        with tf.GradientTape() as tape:
            _, z = level.discriminator(h)
        gradients = tape.gradient(z, trainable)
        heads = [v for v, gradient in zip(trainable, gradients) if gradient is None]
        assert heads  # D's logits
        needed -= _size(heads)
    assert _stored(exported[0]) == needed


def _stored(path):
    names = tf.train.list_variables(str(path / "variables" / "variables"))
    return sum(
        int(np.prod(shape)) for name, shape in names if not name.startswith("_CHECKPOINTABLE")
    )


def _size(weights):
    return sum(int(np.prod(w.shape)) for w in weights if "float" in str(w.dtype))


def test_the_printed_commands_work_as_printed(exported, tmp_path):
    """In a shell without the environment's programs on its path."""
    path, out = exported
    show, sample, curl = [line for line in out.splitlines() if " --signature_def " in line] + [
        line for line in out.splitlines() if line.startswith("curl")
    ]
    shell = {"cwd": tmp_path, "shell": True, "check": True, "capture_output": True, "text": True}
    bare = {**os.environ, "PATH": "/usr/bin:/bin"}
    shown = subprocess.run(show, env=bare, **shell).stdout
    assert "inputs['labels']" in shown and "shape: (-1, 8, 8, 1)" in shown
    subprocess.run(f"{sample} --outdir {tmp_path}", env=bare, **shell)
    assert np.load(tmp_path / "images.npy").shape == (2, 8, 8, 1)
    curl = shlex.split(curl)
    request = json.loads(curl[curl.index("-d") + 1])
    inputs = {name: np.array(rows, np.int64) for name, rows in request["inputs"].items()}
    assert Model(path).predict(request["signature_name"], inputs)["images"].shape == (2, 8, 8, 1)


def test_an_export_from_two_devices_is_the_same(finished, exported, inputs, tmp_path):
    run(
        on_two_devices("export"),
        ["--run_dir", finished[0], "--export_dir", tmp_path, "--devices", "2"],
    )
    versions = exported[0], tmp_path / "whole" / "1"
    single, mirrored = (str(path / "variables" / "variables") for path in versions)
    names = [name for name, _ in tf.train.list_variables(single)]
    assert names == [name for name, _ in tf.train.list_variables(mirrored)]
    for name in names[1:]:  # the first is the object graph
        np.testing.assert_array_equal(
            *(tf.train.load_variable(variables, name) for variables in (single, mirrored)),
            err_msg=name,
        )
    np.testing.assert_array_equal(
        *(Model(path).predict("decode", inputs["decode"])["images"] for path in versions)
    )


@pytest.fixture
def copied(exported, tmp_path):
    """A folder of exports of its own that holds version 1."""
    shutil.copytree(exported[0].parent, tmp_path / "exports" / "whole")
    return tmp_path / "exports"


def test_a_version_that_exists_is_not_replaced(finished, copied):
    arguments = ["--run_dir", finished[0], "--export_dir", copied]
    error = refused(EXPORT, [*arguments, "--version", "1"])
    assert "--version: " in error and "exists already" in error
    assert _listed(copied / "whole") == ["1"]


def test_the_same_weights_make_no_new_version(finished, exported, copied):
    arguments = ["--run_dir", finished[0], "--export_dir", copied]
    out, _ = run(EXPORT, arguments)
    first, *others = out.splitlines()
    assert first.startswith(f"{copied}/whole/1: holds these weights already")
    commands = exported[1].replace(str(exported[0]), f"{copied}/whole/1").splitlines()
    assert others == commands[1:]
    path, facts = exporting.export(finished[0], copied)
    assert path == copied / "whole" / "1" and facts["version"] == 1
    assert _listed(copied / "whole") == ["1"]


def test_other_weights_or_another_request_make_a_new_version(finished, copied, tmp_path):
    def found(run_dir=finished[0], **request):
        existing = exporting.ExportRequest(run_dir, copied, "whole", **request).found()
        return existing and existing[0]

    newest = copied / "whole" / "1"
    assert found() == newest
    for another in (
        {"version": 2},
        {"max_batch": 7},
        {"format": "onnx"},
        {"precision": "bfloat16"},
    ):
        assert found(**another) is None
    other = tmp_path / "other"
    shutil.copytree(finished[0], other)
    state = {"generator0": [keras.Variable(np.ones(3))]}
    Run(other).checkpoint("joint").save(state, step=58, done=True)
    assert found(other) is None
    # Of several the newest counts, as it is what servers take.
    shutil.copytree(newest, copied / "whole" / "3")
    assert found() == copied / "whole" / "3"
    facts = json.loads((newest / "assets" / "metadata.json").read_text())
    del facts["precision"]  # as version 0.1.0 wrote it, in float32
    (copied / "whole" / "3" / "assets" / "metadata.json").write_text(json.dumps(facts))
    assert found() == copied / "whole" / "3" and found(precision="bfloat16") is None
    (copied / "whole" / "3" / "assets" / "metadata.json").write_text("[]")
    assert found() is None
    (copied / "whole" / "3" / "assets" / "metadata.json").unlink()
    assert found() is None


def _listed(folder):
    """What lies in a folder of versions beside the lock, which may stay or go."""
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock")


def test_killed_at_any_moment_it_leaves_no_broken_version(finished, inputs, tmp_path):
    folder = tmp_path / "whole"

    def partial(name):
        return lambda: any((p / name).exists() for p in folder.glob(".partial-*"))

    for moment in (
        partial(""),
        partial("saved_model.pb"),
        partial("assets.extra"),
        lambda: (folder / "1").exists(),
    ):
        process = fork(EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path])
        deadline = time.monotonic() + 120
        while not moment():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for version in folder.glob("[0-9]*"):
            labels = {"labels": inputs["decode"]["labels"]}
            images = Model(version).predict("serving_default", labels)["images"]
            assert images.shape == (10, 8, 8, 1)
    assert (folder / "1").exists()
    run(EXPORT, ["--run_dir", finished[0], "--export_dir", tmp_path, "--version", "7"])
    assert _listed(folder) == ["1", "7"]  # and nothing is left of the killed ones


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
        (unfinished, f"--run_dir: {unfinished} is not finished: joint (step 0); run train.py"),
        (unfinished, "or export it --as_is"),
        (damaged, "level0.safetensors is damaged"),
        (tmp_path, "is not a run of sgan_tf"),
    ):
        assert message in refused(EXPORT, ["--run_dir", run_dir, "--export_dir", exports])
    assert not exports.exists() or not list(exports.glob("*/[0-9]*"))
    arguments = ["--run_dir", finished[0]]
    assert "--export_dir: cannot write to" in refused(
        EXPORT, [*arguments, "--export_dir", "/proc/exports"]
    )
    assert "--version: 0 is not above 0" in refused(
        EXPORT, [*arguments, "--export_dir", exports, "--version", "0"]
    )
    assert "--name: '../x'" in refused(
        EXPORT, [*arguments, "--export_dir", exports, "--name", "../x"]
    )
    assert "--format" in refused(EXPORT, [*arguments, "--format", "caffe"])


def test_only_what_concerns_the_target_is_an_error_of_writing(finished, tmp_path):
    incomplete = tmp_path / "incomplete"
    shutil.copytree(finished[0], incomplete)
    (incomplete / "encoder.json").unlink()
    error = refused(EXPORT, ["--run_dir", incomplete, "--export_dir", tmp_path / "exports"])
    assert str(incomplete / "encoder.json") in error and "cannot write" not in error
    assert _listed(tmp_path / "exports" / "incomplete") == []
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(exporting.ExportError, match=f"`export_dir`: cannot write to {file}/whole"):
        exporting.export(finished[0], file)


def test_a_file_elsewhere_keeps_its_own_error(tmp_path):
    target, elsewhere = tmp_path / "exports" / "whole", tmp_path / "other" / "file"
    for file in (target / "x", target.parent, None):
        with (
            pytest.raises(exporting.ExportError, match=f"`export_dir`: cannot write to {target}"),
            exporting._writing_to(target),
        ):
            raise OSError(28, "No space left on device", file)
    with pytest.raises(OSError, match="other/file"), exporting._writing_to(target):
        raise OSError(2, "No such file or directory", str(elsewhere))


def test_an_unfinished_run_is_exported_as_it_is(finished, tmp_path):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(finished[0], unfinished)
    (unfinished / "checkpoints" / "joint.safetensors").unlink()
    run(EXPORT, ["--run_dir", unfinished, "--export_dir", tmp_path, "--as_is"])
    assets = tmp_path / "unfinished" / "1" / "assets"
    assert json.loads((assets / "metadata.json").read_text())["unfinished"] == ["joint (step 0)"]
    assert (
        "was not finished.** Stages cut short: joint (step 0)."
        in (assets / "README.md").read_text()
    )
    (unfinished / "checkpoints" / "level1.safetensors").unlink()
    error = refused(EXPORT, ["--run_dir", unfinished, "--export_dir", tmp_path, "--as_is"])
    assert "level1 is not finished" in error


def test_a_full_disk_is_an_error_of_writing(finished, tmp_path):
    """A limit on the size of files stands in for it."""
    limited = """
import resource, signal
from sgan_tf.cli import export, startup
tf = startup.import_tensorflow()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
save = tf.saved_model.save
def save_on_a_full_disk(*arguments, **keywords):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    save(*arguments, **keywords)
tf.saved_model.save = save_on_a_full_disk
export.main()
"""
    error = refused(
        [sys.executable, "-c", limited], ["--run_dir", finished[0], "--export_dir", tmp_path]
    )
    assert f"--export_dir: cannot write to {tmp_path}/whole: File too large" in error
    assert _listed(tmp_path / "whole") == []


def test_library_errors_name_parameters(finished, tmp_path):
    for parameters, message in (
        ({"name": "../x"}, "`name`: '../x' is not a name"),
        ({"max_batch": 0}, "`max_batch`: 0 is not above 0"),
        ({"version": 0}, "`version`: 0 is not above 0"),
        ({"format": "caffe"}, "`format`: 'caffe' is not one of savedmodel, onnx, litert"),
        ({"precision": "float16"}, "`precision`: 'float16' is not one of float32, bfloat16"),
        (
            {"precision": "bfloat16", "format": "onnx"},
            "`precision`: onnx has no bfloat16 convolutions; choose float32, or `format` savedm",
        ),
    ):
        with pytest.raises(exporting.ExportError, match=message):
            exporting.ExportRequest(finished[0], tmp_path, **parameters).check()
        with pytest.raises(exporting.ExportError, match=message):
            exporting.export(finished[0], tmp_path, **parameters)
    assert not (tmp_path / "whole").exists()


def test_an_export_in_bfloat16_is_another_that_gives_nearly_the_same_images(
    finished, exported, copied, inputs, images
):
    arguments = ["--run_dir", finished[0], "--export_dir", copied]
    out, _ = run(EXPORT, [*arguments, "--precision", "bfloat16"])
    assert f"{copied}/whole/2: " in out and out.splitlines()[0].endswith("it computes in bfloat16")
    assert exported[1].splitlines()[0].endswith("it computes in float32")
    assets = copied / "whole" / "2" / "assets"
    assert json.loads((assets / "metadata.json").read_text())["precision"] == "bfloat16"
    card = (assets / "README.md").read_text()
    assert "Convolutions and large matrices compute in bfloat16; weights are float32." in card
    half = Model(copied / "whole" / "2").predict("decode", inputs["decode"])["images"]
    difference = np.abs(half - images["decode"])
    assert half.dtype == np.float32 and 0 < difference.mean() < 0.01
    sizes = [_stored(copied / "whole" / version) for version in "12"]
    assert sizes[0] == sizes[1]


def test_two_exports_do_not_write_to_one_folder(finished, tmp_path):
    (tmp_path / "whole").mkdir()
    with (
        sole_writer(tmp_path / "whole" / ".lock"),
        pytest.raises(exporting.ExportError, match=r"another export writes .*\(process \d+ on "),
    ):
        exporting.export(finished[0], tmp_path)
    assert _listed(tmp_path / "whole") == []
