"""The programs as a user runs them: each in a process of its own, from the project's root."""

import json
import os
import pathlib
import socket
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
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from sgan_tf.cli.{name} import main
main()
""",
    ]


def start(program, arguments, environment=None, **keywords):
    inherited = {n: value for n, value in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        cwd=ROOT,
        env={**inherited, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def run(program, arguments, code=0):
    """Runs a program to its end, which must have this exit code; returns `(stdout, stderr)`."""
    return finish(start(program, arguments), code)


def finish(process, code=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def refused(program, arguments):
    """Runs a program with something that cannot be; returns its one line on stderr."""
    out, err = run(program, arguments, code=2)
    assert err.startswith("error: ") and len(err.strip().splitlines()) == 1, err
    return err


def worker_environments(count):
    """TF_CONFIG of each of several workers on this machine, on ports that are free."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(count)
    ]
