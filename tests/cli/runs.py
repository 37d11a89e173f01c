"""Runs of train.py: started, killed, and what they leave."""

import signal
import time

from processes import TRAIN, fork, run

from sgan_tf.runs.run import Run

STAGES = ["encoder", "level0", "level1", "joint"]


def train(arguments, program=TRAIN, code=0):
    return run(program, arguments, code)


def kill_in(stage, arguments, steps, number=signal.SIGKILL):
    """Sends train.py a signal once a stage has done some steps.

    Returns `(code, stdout, progress)`.
    """
    process = fork(TRAIN, [*arguments, "--checkpoint_minutes", "0"])
    folder = Run(arguments[arguments.index("--run_dir") + 1])
    deadline = time.monotonic() + 240
    while folder.progress(stage)[0] < steps:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out, folder.progress(stage)


def checkpoints(run_dir):
    return {stage: Run(run_dir).checkpoint(stage).read()[1] for stage in STAGES}


def metrics(run_dir):
    lines = Run(run_dir).metrics.read()
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
