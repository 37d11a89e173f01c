"""Programs without the wait for TensorFlow: each is a fork of an interpreter that has imported it.

`commands(folder)` puts a stand-in for `python` and for every program of setup.cfg into a folder,
for PATH. It hands its arguments, environment, working folder, stdin, stdout and stderr on, and ends
with the program's exit code. TensorFlow makes no threads until it computes, which the forked
interpreter never does.
"""

import configparser
import contextlib
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback

from processes import ROOT

READY = b"ready\n"
STAND_IN = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = [os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]
    socket.send_fds(server, [json.dumps(request).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.recv(8) or b"1"))
"""


def programs():
    """Returns `{command: module}` of setup.cfg's entry points."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"]["console_scripts"].strip().splitlines()
    pairs = (line.split(" = ") for line in lines)
    return {command: target.split(":")[0] for command, target in pairs}


@contextlib.contextmanager
def commands(folder):
    """Writes the stand-ins into a folder, and serves them for the length of the block."""
    address = str(folder / "socket")
    for name in ("python", *programs()):
        (folder / name).write_text(STAND_IN.format(python=sys.executable, address=address))
        (folder / name).chmod(0o755)
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert server.stdout.readline() == READY
        yield
    finally:
        server.kill()
        server.communicate()


def serve(address):
    """Forks for every request, for as long as the process lives."""
    import matplotlib.pyplot  # noqa: F401
    import sklearn  # noqa: F401

    import sgan_tf

    for name in sgan_tf.__all__:
        getattr(sgan_tf, name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        os.write(1, READY)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                _answer(connection)
            connection.close()


def _answer(connection):
    """Runs a program in a fork, and tells its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as rest:
        name, arguments, folder, environment = json.loads(text + rest.readline())
    child = os.fork()
    if child == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os._exit(_run(name, arguments))
    for file in files:
        os.close(file)
    connection.sendall(str(_end(child, connection) % 256).encode())
    os._exit(0)


def _end(child, connection):
    """Waits for a program, which ends with the stand-in; returns its exit code."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if select.select([connection], [], [], 0.02)[0]:  # nothing is sent: it was closed
            os.kill(child, signal.SIGTERM)
            os._exit(0)


def _run(name, arguments):
    """Runs a program in this process; returns its exit code."""
    try:
        if name in programs():
            sys.argv = [name, *arguments]
            runpy.run_module(programs()[name], run_name="__main__")
        elif arguments and pathlib.Path(arguments[0]).suffix == ".py":
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            os.execv(sys.executable, [sys.executable, *arguments])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
