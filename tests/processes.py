"""The programs as a user runs them: each in a process of its own, from the project's root.

`start` starts an interpreter. `run`, of which there are hundreds, forks where that is no matter:
importing TensorFlow takes most of what a program takes (see `forked.py`).
"""

import json
import os
import pathlib
import socket
import subprocess
import sys

from forked import Forked

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAIN, EXPORT, EVALUATE = (
    [sys.executable, str(ROOT / name)] for name in ("train.py", "export.py", "evaluate.py")
)


def module(name):
    return [sys.executable, "-m", f"sgan_tf.cli.{name}"]


def script(text):
    """A program that is given as code."""
    return [sys.executable, "-c", text]


def on_two_devices(name):
    """A program on two logical CPU devices that stand in for GPUs, which is all that changes."""
    return [sys.executable, str(ROOT / "tests" / "on_two_devices.py"), name]


def _environment(changes):
    inherited = {n: value for n, value in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    return {**inherited, **(changes or {})}


def start(program, arguments, environment=None, **keywords):
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        cwd=ROOT,
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def fork(program, arguments, environment=None):
    """As `start`, but for programs that are given as code: they may be about what is imported."""
    if program[1] == "-c":
        return start(program, arguments, environment)
    return Forked([*program[1:], *map(str, arguments)], _environment(environment))


def run(program, arguments, code=0):
    """Runs a program to its end, which must have this exit code; returns `(stdout, stderr)`."""
    return finish(fork(program, arguments), code)


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
