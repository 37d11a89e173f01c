"""Ctrl-C ends a program in one line, at every moment."""

import shutil
import signal
import time

import pytest
from forked import programs
from processes import finish, script, start


def interruptible():
    """In a job in the background, where tests may run, SIGINT is ignored by all processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(program, arguments, after):
    """Sends SIGINT so many seconds after the program's first line; returns `(code, stderr)`."""
    process = start(program, arguments, preexec_fn=interruptible)
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize("name", ["train.py", "evaluate.py", "export.py", *sorted(programs())])
def test_ctrl_c_ends_a_program_in_one_line_from_its_first_import_on(name):
    """Python's own way ends in a traceback through all modules that are being imported."""
    text = f"""
import importlib.metadata, os, runpy, signal, sys
class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "absl":  # what every program imports first
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
name = {name!r}
if name.endswith(".py"):
    runpy.run_path(name, run_name="__main__")
else:
    importlib.metadata.EntryPoint(name, {programs().get(name)!r}, "console_scripts").load()()
"""
    process = start(script(text), [], preexec_fn=interruptible)
    assert finish(process, code=130) == ("", "interrupted\n")


# As a program starts, and then says so.
STARTED = """
from sgan_tf.cli import programs
from sgan_tf.cli.interrupts import end_on_interrupt
end_on_interrupt()
print("started", flush=True)
"""


@pytest.mark.parametrize("after", [0, 0.5, 2])
def test_ctrl_c_during_imports_is_one_line(after):
    text = f"""
{STARTED}
import numpy, time
from sgan_tf.cli import app, startup
app.run(lambda: (startup.import_tensorflow(), time.sleep(60)))
"""
    assert interrupt(script(text), [], after) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "work",
    [
        "time.sleep(60)",
        # Libraries make other errors of it, or nothing at all.
        "try:\n        time.sleep(60)\n    except BaseException: raise ImportError('failed')",
        "try:\n        time.sleep(60)\n    except BaseException: raise app.UsageError('wrong')",
    ],
)
def test_ctrl_c_in_mid_work_is_one_line_and_cleans_up(tmp_path, work):
    text = f"""
import pathlib, time
from sgan_tf.cli import app
def main():
  print("at work", flush=True)
  try:
    {work}
  finally:
    pathlib.Path({str(tmp_path / "cleaned")!r}).touch()
app.run(main)
"""
    assert interrupt(script(text), [], 0.1) == (130, "interrupted\n")
    assert (tmp_path / "cleaned").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moments"),
    [("export", (0, 1, 5)), ("evaluate", (0.2, 3, 5)), ("figures", (0.5, 2, 5))],
)
def test_ctrl_c_at_any_moment_of_a_program(finished, tmp_path, name, moments):
    """At moments from its imports to its work; what has ended before is no test of it."""
    where = {"export": ["--export_dir", tmp_path], "evaluate": ["--cache_dir", tmp_path]}
    program = script(f"{STARTED}programs.{name}()")
    run_dir = shutil.copytree(finished[0], tmp_path / "run")
    arguments = ["--run_dir", run_dir, *where.get(name, [])]
    for after in moments:
        code, err = interrupt(program, arguments, after)
        assert (code, err) == (130, "interrupted\n") or (after == 5 and code == 0), after
