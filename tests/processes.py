"""The programs as a user runs them: each in a process of its own, from the project's root."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAIN, EXPORT, EVALUATE = (
    [sys.executable, str(ROOT / name)] for name in ("train.py", "export.py", "evaluate.py")
)


def module(name):
    return [sys.executable, "-m", f"sgan_tf.cli.{name}"]


def on_two_devices(name):
    """A program on two logical CPU devices that stand in for GPUs, which is all that changes."""
    return [
        sys.executable,
        "-c",
        f"""
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from sgan_tf.cli.{name} import main
main()
""",
    ]


def start(program, arguments, **keywords):
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def run(program, arguments, code=0):
    """Runs a program to its end, which must have this exit code; returns `(stdout, stderr)`."""
    process = start(program, arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def refused(program, arguments):
    """Runs a program with something that cannot be; returns its one line on stderr."""
    out, err = run(program, arguments, code=2)
    assert err.startswith("error: ") and len(err.strip().splitlines()) == 1, err
    return err
