"""What comes through on stderr, in every way that a program can end."""

import signal

import pytest
from processes import finish, script, start

LOGGED = (
    b"E0000 00:00:1795543338.524854   29825 meta_optimizer.cc:967] remapper failed: INVALID\n"
    b"I0000 00:00:1795543338.524854   29825 node_def_util.cc:1] use_unbounded_threadpool\n"
    b"W1124 18:00:01.123456   29825 xla/service/gpu.cc:7] slow\n"
    b"2026-11-24 18:00:00.123456: W tensorflow/core/a.cc:31] old form\n"
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
)
KEPT = b"F0000 00:00:1795543338.524854   29825 a.cc:9] Check failed\nplain line of C\n"
ENDS = {
    "return": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise RuntimeError('the last line')", 1),
    "user error": ("raise app.UsageError('`out`: the last line')", 2),
    "os._exit": ("print('the last line', file=sys.stderr); os._exit(4)", 4),
    "in a handler": (
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(143)); os.kill(os.getpid(), 15)",
        143,
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "abort": ("os.abort()", -signal.SIGABRT),
}


@pytest.mark.parametrize(
    ("end", "level"),
    [*((end, None) for end in ENDS), ("exception", "3"), ("exception", "0"), ("os._exit", "0")],
)
def test_all_lines_but_those_of_cpp_come_through_in_every_end(end, level):
    code = ENDS[end][0]
    text = f"""
import os, signal, sys, warnings
from sgan_tf.cli import app, logs
def main():
    logs.quiet_stderr()
    warnings.warn("a warning of ours")
    print("a line of ours", file=sys.stderr)
    os.write(2, {LOGGED!r})
    os.write(2, {KEPT!r})
    {code}
app.run(main)
"""
    environment = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    _, err = finish(start(script(text), [], environment), ENDS[end][1])
    assert "a warning of ours" in err and "a line of ours\n" in err and KEPT.decode() in err
    assert ("the last line" in err) == ("the last line" in code)
    assert ("Traceback" in err) == (end == "exception")
    for line in LOGGED.decode().splitlines():
        assert (line in err) == (level == "0"), line
