"""What an import does, and what it leaves alone."""

import pytest
from forked import programs
from processes import finish, run, script, start


@pytest.mark.parametrize("level", ["1", "0"])
def test_importing_tensorflow_leaves_stderr_clean(level):
    text = """
from sgan_tf.cli import startup
startup.import_tensorflow().config.list_physical_devices()
"""
    _, err = finish(start(script(text), [], {"TF_CPP_MIN_LOG_LEVEL": level}))
    assert ".cc:" in err if level == "0" else err == ""


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
    if module.name == "sgan_tf.sampling.beam":  # Apache Beam sets up the root logger
        continue
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
    names = {target.replace("programs:", "") for target in programs().values()}
    assert names < set(out.split())
