"""What the programs share, as a user meets it: each program in a process of its own."""

import os
import pathlib
import shutil
import signal
import sys
import time

import pytest
from forked import programs
from processes import EXPORT, TRAIN, finish, module, run, start

from sgan_tf.cli import app
from sgan_tf.config.presets import PRESETS
from sgan_tf.data.datasets import DATASETS

PROGRAMS = (
    *("train", "evaluate", "export", "figures", "ablations", "client", "sample", "inspection"),
    *("serve", "turing", "demo"),
)
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
LOGGED = (
    b"E0000 00:00:1795543338.524854   29825 meta_optimizer.cc:967] remapper failed: INVALID\n"
    b"I0000 00:00:1795543338.524854   29825 node_def_util.cc:1] use_unbounded_threadpool\n"
    b"W1124 18:00:01.123456   29825 xla/service/gpu.cc:7] slow\n"
    b"2026-11-24 18:00:00.123456: W tensorflow/core/a.cc:31] old form\n"
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
)
KEPT = b"F0000 00:00:1795543338.524854   29825 a.cc:9] Check failed\nplain line of C\n"


def script(text):
    return [sys.executable, "-c", text]


def interruptible():
    """In a job in the background, where tests may run, SIGINT is ignored by all processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_the_docstring_and_the_own_flags_without_tensorflow(name):
    program = script(f"{NO_TENSORFLOW}from sgan_tf.cli.{name} import main; main()")
    out, err = run(program, ["--help"])
    source = (pathlib.Path("sgan_tf/cli") / f"{name}.py").read_text()
    assert out.splitlines()[0] == source.splitlines()[0].removeprefix('"""') and err == ""
    assert "  --" in out and "(default: " in out and "--run_with_pdb" not in out
    assert max(map(len, out.splitlines())) <= 100
    assert finish(start(module(name), ["-h"])) == (out, "")


def test_help_names_presets_data_sets_defaults_and_what_is_required():
    out, _ = run(TRAIN, ["--help"])
    words = set(out.replace(",", " ").replace(";", " ").split())
    assert words >= {*PRESETS, *DATASETS, "--sample_every", "--[no]overwrite"}
    assert "epochs between two sample grids (default: 5)" in out
    out, _ = run(EXPORT, ["--help"])
    assert "a finished run folder (required)" in out and "(default: savedmodel)" in out


def test_help_of_training_names_every_flag_once_under_a_heading():
    out, _ = run(TRAIN, ["--help"])
    lines = out.split("\n\n", 1)[1].splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    groups = ["images", "networks and settings", "a classifier of one's own", "run", "machine"]
    assert headings == [f"{group}:" for group in groups]
    names = [line.split()[0] for line in lines if line.startswith("  --")]
    assert len(names) == len(set(names)) >= 22


def test_list_presets_is_a_table_without_tensorflow():
    program = script(f"{NO_TENSORFLOW}from sgan_tf.cli.train import main; main()")
    out, err = run(program, ["--list_presets"])
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert rows.keys() >= PRESETS.keys() and err == ""
    assert max(map(len, out.splitlines())) <= 100
    assert rows["digits"][1:7] == ["digits", "40", "120", "120", "30", "50"]
    assert rows["mnist-release"][1:7] == ["mnist", "5", "0", "0", "200", "100"]


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
from sgan_tf.cli import app
def main():
    app.quiet_stderr()
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


@pytest.mark.parametrize("level", ["1", "0"])
def test_importing_tensorflow_leaves_stderr_clean(level):
    text = "from sgan_tf.cli import app; app.import_tensorflow().config.list_physical_devices()"
    _, err = finish(start(script(text), [], {"TF_CPP_MIN_LOG_LEVEL": level}))
    assert ".cc:" in err if level == "0" else err == ""


def interrupt(program, arguments, after):
    """Sends SIGINT so many seconds after the program's first line; returns `(code, stderr)`."""
    process = start(program, arguments, preexec_fn=interruptible)
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def test_importing_any_module_leaves_the_importing_program_as_it_was():
    """Signals, hooks, paths, environment: what another program has set is not for us to change."""
    text = """
import gc, importlib, logging, os, pkgutil, signal, sys, warnings
import absl.logging, keras, matplotlib, tensorflow, sgan_tf
def state():
    return {
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "hooks": [sys.excepthook, sys.unraisablehook],
        "environment": dict(os.environ),
        "path": sys.path[:],
        "warnings": warnings.filters[:],
        "logging": (logging.root.level, logging.root.handlers[:]),
        "frozen": gc.get_freeze_count(),
    }
before, names = state(), []
for module in pkgutil.walk_packages(sgan_tf.__path__, "sgan_tf."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        assert not error.name.startswith("sgan_tf")  # it is an extra that is not installed
    names.append(module.name)
    after = state()
    assert after == before, (module.name, [name for name in before if after[name] != before[name]])
print(*names)
"""
    out, _ = run(script(text), [])
    assert {f"sgan_tf.cli.{name}" for name in PROGRAMS} < set(out.split())


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
from sgan_tf.cli import end_on_interrupt, programs
end_on_interrupt()
print("started", flush=True)
"""


@pytest.mark.parametrize("after", [0, 0.5, 2])
def test_ctrl_c_during_imports_is_one_line(after):
    text = f"""
{STARTED}
import numpy, time
from sgan_tf.cli import app
app.run(lambda: (app.import_tensorflow(), time.sleep(60)))
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


def test_a_tilde_is_the_home_in_every_path(tmp_path):
    text = """
from absl import flags
from sgan_tf.cli import app
for name in app.PATHS:
    flags.DEFINE_string(name, None, "")
app.run(lambda: print(*(flags.FLAGS[name].value for name in app.PATHS)))
"""
    names = (
        *("run_dir", "data_dir", "export_dir", "config", "cache_dir", "out", "inception"),
        *("without_entropy", "encoder_from", "encoder", "encoder_weights", "model", "export"),
        *("csv", "votes"),
    )
    arguments = [f"--{name}=~/{name}" for name in names]
    out, _ = finish(start(script(text), arguments, {"HOME": str(tmp_path)}))
    assert sorted(out.split()) == sorted(str(tmp_path / name) for name in names)
    process = start(module("figures"), ["--run_dir=~/a"], {"HOME": str(tmp_path)})
    assert os.path.join(tmp_path, "a") in finish(process, code=2)[1]


def test_the_precision_auto_is_what_the_hardware_computes_in(monkeypatch):
    monkeypatch.setattr(app, "import_tensorflow", lambda: None)
    for best in ("bfloat16", "float32"):
        monkeypatch.setattr(app, "best_precision", lambda best=best: best)
        asked = [app.precision(name) for name in ("auto", "float32", "bfloat16")]
        assert asked == [best, "float32", "bfloat16"]
