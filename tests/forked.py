"""Programs in forks of a process that has imported TensorFlow, which takes each five seconds.

Run as a program, this file is that process: it forks once for each message on its standard input, a
socket, and its child goes on as the interpreter does that was asked for. `Forked` sends one from
Python; what `stand_ins` puts on PATH does from a shell.
"""

import atexit
import configparser
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from unittest import mock

from sgan_tf.utils.arithmetic import prefer_onednn

# Of the package all but the programs.
IMPORTED = (
    *("tensorflow", "keras", "tensorflow_probability", "matplotlib.pyplot", "sklearn.datasets"),
    *("sgan_tf.training.pipeline", "sgan_tf.evaluation.evaluate", "sgan_tf.evaluation.report"),
    *("sgan_tf.saving.export", "sgan_tf.saving.load"),
)
ROOT = pathlib.Path(__file__).parent.parent
STAND_IN = """#!{python} -IS
import json, os, signal, socket, struct, sys
program, arguments = {program!r}, sys.argv[1:]
if not program and not arguments[0].endswith(".py") and arguments[0] != "-m":
    os.execv({python!r}, [{python!r}, *arguments])
asked = dict(arguments=program + arguments, environment=dict(os.environ), folder=os.getcwd())
numbers, theirs = os.pipe()
with socket.socket(fileno={server}) as server:
    socket.send_fds(server, [json.dumps(asked).encode()], [theirs, 1, 2])
os.close(theirs)
number = lambda: struct.unpack("i", os.read(numbers, 4))[0]
child = number()
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
sys.exit(number() % 256)
"""


class Forked:
    """A program in a fork, with what the tests use of `subprocess.Popen`."""

    def __init__(self, arguments, environment):
        """Starts Python with these arguments: a file or `-m` and a module, then the program's."""
        pipes = [os.pipe() for _ in range(3)]
        ours, theirs = zip(*pipes)
        asked = {"arguments": arguments, "environment": environment, "folder": str(ROOT)}
        message = json.dumps(asked)
        socket.send_fds(_server(), [message.encode()], theirs)
        for end in theirs:
            os.close(end)
        self._numbers, *outputs = ours
        self.pid, self.returncode = self._number(), None
        self._texts = [""] * 2
        self._readers = [
            threading.Thread(target=self._read, args=numbered, daemon=True)
            for numbered in enumerate(outputs)
        ]
        for reader in self._readers:
            reader.start()

    def _number(self):
        return struct.unpack("i", os.read(self._numbers, 4))[0]

    def _read(self, place, output):
        with open(output, encoding="utf-8") as file:
            self._texts[place] = file.read()

    def poll(self):
        if self.returncode is None and select.select([self._numbers], [], [], 0)[0]:
            self._end()
        return self.returncode

    def _end(self):
        self.returncode = self._number()
        os.close(self._numbers)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=None):
        for reader in self._readers:
            reader.join(timeout)
            if reader.is_alive():
                self.send_signal(signal.SIGKILL)
                raise TimeoutError(f"a program still writes after {timeout} s")
        if self.returncode is None:
            self._end()
        return tuple(self._texts)


@functools.cache
def _server():
    """Starts the process that forks, once, for as long as this one; returns its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    process = subprocess.Popen(
        [sys.executable, __file__],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    theirs.close()
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


def programs():
    """Returns `{command: entry point}` of setup.cfg, such as `sgan_tf.cli.programs:train`."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"]["console_scripts"].strip().splitlines()
    pairs = (line.split(" = ") for line in lines)
    return dict(pairs)


def stand_ins(folder):
    """Writes a stand-in for `python` and for every program of setup.cfg into a folder, for PATH.

    Returns:
        `pass_fds` of the `subprocess` that is to have them.
    """
    server = _server().fileno()
    for name, target in {"python": None, **programs()}.items():
        program = ["-m", target.replace("programs:", "")] if target else []
        text = STAND_IN.format(python=sys.executable, program=program, server=server)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return [server]


def _asked():
    """Forks for every message; returns, in each child, the arguments it is to go on with."""
    messages = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    waiting = set()
    while True:
        message, ends, _, _ = socket.recv_fds(messages, 1 << 20, 3)
        waiting = {pid for pid in waiting if os.waitpid(pid, os.WNOHANG)[0] == 0}
        if not message:  # the tests are over
            sys.exit()
        pid = os.fork()
        if not pid:
            break
        waiting.add(pid)
        for end in ends:
            os.close(end)
    messages.close()
    numbers, *outputs = ends
    child = os.fork()
    if child:
        for end in outputs:
            os.close(end)
        os.write(numbers, struct.pack("i", child))
        status = os.waitpid(child, 0)[1]
        os.write(numbers, struct.pack("i", os.waitstatus_to_exitcode(status)))
        os._exit(0)
    for place, end in enumerate(outputs, start=1):
        os.dup2(end, place)
    for end in ends:
        os.close(end)
    asked = json.loads(message)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    return asked["arguments"]


def _go_on(arguments):
    """Does what `python ARGUMENTS` does; the interpreter ends this process as it ends that one."""
    if arguments[0] == "-m":
        _, module, *rest = arguments
        sys.path[0] = os.getcwd()
        sys.argv = [module, *rest]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(arguments[0])
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    prefer_onednn()  # as the programs do before they import TensorFlow
    with mock.patch("absl.app.call_after_init"):  # by which GPUs would be listed before a program
        for name in IMPORTED:
            importlib.import_module(name)
    gc.freeze()  # what is imported stays: no collection need look at it again
    _go_on(_asked())
