"""Several machines, each a process of its own here: the same command on every worker."""

import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from processes import ROOT, TRAIN, finish, fork, run, worker_environments

from sgan_tf.runs.run import Run

pytestmark = pytest.mark.slow
# Batch statistics are synchronised; the noise of layers is each replica's own, so there is none.
PLAIN = [
    *("--epochs", "1", "--sample_every", "0", "--set", "encoder.dropout=0"),
    *(
        "--set",
        "levels.0.discriminator.input_noise=0",
        "--set",
        "levels.1.discriminator.input_noise=0",
    ),
]
STEP = [sys.executable, str(ROOT / "tests" / "cli" / "one_sgd_step.py")]


def on_workers(program, arguments, count=2):
    """Starts a program on several workers; `arguments` are theirs, or a list for each."""
    each = arguments if isinstance(arguments[0], list) else [arguments] * count
    environments = worker_environments(count)
    return [fork(program, a, e) for a, e in zip(each, environments)]


def test_one_sgd_step_on_two_processes_equals_one_on_one(tmp_path):
    run(STEP, [tmp_path / "alone.npz"])
    for process in on_workers(STEP, [[tmp_path / "w0.npz"], [tmp_path / "w1.npz"]]):
        finish(process)
    alone = np.load(tmp_path / "alone.npz")
    for name in ("w0", "w1"):
        worker = np.load(tmp_path / f"{name}.npz")
        assert sorted(worker) == sorted(alone) and len(alone) > 50
        for key in alone:
            # A bias before batch normalisation has no gradient but what is lost by rounding.
            np.testing.assert_allclose(worker[key], alone[key], atol=5e-6, err_msg=key)


def test_two_workers_train_one_run_and_resume_it(tmp_path):
    arguments = [*PLAIN, "--set", "joint.epochs=0", "--run_dir", tmp_path / "run"]
    processes = on_workers(TRAIN, [*arguments, "--checkpoint_minutes", "0"])
    deadline = time.monotonic() + 240
    while Run(tmp_path / "run").progress("level0").step < 5:
        assert all(p.poll() is None for p in processes) and time.monotonic() < deadline
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGTERM)  # one is told, all stop
    outs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [143, 143]
    assert all("stopped in level0 at step" in out for out in outs)
    for process in on_workers(TRAIN, arguments):
        out, _ = finish(process)
        assert "level0 resumes at step" in out and "done: " in out
    lines = [(line["stage"], line["epoch"]) for line in Run(tmp_path / "run").metrics.read()]
    assert lines == [(stage, 1) for stage in ("encoder", "level0", "level1")]


def test_workers_that_differ_are_refused(tmp_path):
    arguments = ["--run_dir", str(tmp_path / "run"), "--epochs", "1"]
    other = [*arguments, "--set", "levels.0.z_dim=5"]
    processes = on_workers(TRAIN, [arguments, other])
    errors = [finish(process, code=2)[1].strip() for process in processes]
    assert "worker 1" in errors[0] and len(errors[0].splitlines()) == 1
    assert "levels.0.z_dim: 8 -> 5" in errors[1] and len(errors[1].splitlines()) == 1
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    apart = [["--run_dir", str(tmp_path / name), "--epochs", "1"] for name in ("a", "b")]
    errors = [finish(process, code=2)[1] for process in on_workers(TRAIN, apart)]
    assert "worker 1 could not open the run" in errors[0] and "have to share" in errors[1]
    assert not os.path.exists(tmp_path / "b" / "config.json")
    shutil.rmtree(tmp_path / "run")


def test_a_tf_config_that_cannot_be(tmp_path):
    for text in ("{", "[1]"):
        process = fork(TRAIN, ["--run_dir", tmp_path / "run"], {"TF_CONFIG": text})
        assert "TF_CONFIG: it is not what TensorFlow reads" in finish(process, code=2)[1]
    process = on_workers(TRAIN, ["--set", "batch_size=51", "--run_dir", tmp_path / "run"])
    for worker in process:
        assert "2 devices do not divide the batch size 51" in finish(worker, code=2)[1]
