"""Contestants in processes of their own: turns, ends told in one line, one library in each."""

import ast
import os
import signal
import sys
import time
import types

import pytest
from contestants import Contestant
from measure import alternate
from processes import ROOT

from sgan_tf.cli.app import UsageError
from sgan_tf.errors import UserError

BENCHMARKS = ROOT / "benchmarks"
APART = {"torch": {"torch", "triton"}, "tensorflow": {"tensorflow", "keras"}}


def _sleeper(seconds):
    return lambda more=0: time.sleep(seconds + more), os.getpid()


def _dies(how):
    return lambda: os.kill(os.getpid(), how) if how else os._exit(3), None


def _dies_early():
    os.kill(os.getpid(), signal.SIGSEGV)


def _fails(error):
    raise error


def _imports(*names):
    sys.modules.update({name: types.ModuleType(name) for name in names})
    return (lambda: None), None


def test_each_has_a_process_and_times_its_own_turns():
    with Contestant("a", _sleeper, 0.0) as a, Contestant("b", _sleeper, 0.02) as b:
        assert len({os.getpid(), a.facts, b.facts}) == 3
        seconds = alternate({"a": a, "b": b}, 3, 2, Contestant.timed)
        assert len(seconds["a"]) == len(seconds["b"]) == 3
        assert max(seconds["a"]) < 0.02 <= min(seconds["b"])
        assert a.timed(1, 0.05) >= 0.05
    for ended in (a, b):
        with pytest.raises(ProcessLookupError):
            os.kill(ended.facts, 0)


@pytest.mark.parametrize(("how", "told"), [(signal.SIGSEGV, "SIGSEGV"), (None, "exit code 3")])
def test_one_that_dies_is_told_in_one_line(how, told):
    with Contestant("PyTorch, float32", _dies, how) as contestant:
        for _ in range(2):
            with pytest.raises(UsageError) as error:
                contestant.timed()
            assert str(error.value) == f"PyTorch, float32: its process died ({told})"
    with pytest.raises(UsageError, match="^early: its process died .SIGSEGV.$"):
        Contestant("early", _dies_early)


def test_one_that_fails_is_told_in_one_line():
    with pytest.raises(UsageError, match="^a: OSError: no$"):
        Contestant("a", _fails, OSError("no\nmore"))
    with pytest.raises(UsageError, match="^--preset: none$"):
        Contestant("a", _fails, UserError("`preset`: none"))


def test_one_that_imports_both_libraries_is_refused():
    with Contestant("a", _imports, "tensorflow") as alone:
        alone.timed()
    with pytest.raises(
        UsageError, match="^a: ImportError: tensorflow and torch are in one process"
    ):
        Contestant("a", _imports, "tensorflow", "torch")


def test_no_part_of_a_benchmark_imports_both_libraries():
    """Of each function, and each module, what it imports and what that imports when it runs."""
    checked = set()
    for path in sorted(BENCHMARKS.glob("*.py")):
        tree = ast.parse(path.read_text())
        parts = {path.stem: tree} | {
            f"{path.stem}.{node.name}": node for node in tree.body if isinstance(node, FUNCTION)
        }
        for name, part in parts.items():
            reached = set()
            for module in _modules(part.body if part is not tree else _top(tree)):
                _reach(module, reached)
            found = {library for library, names in APART.items() if names & reached}
            assert len(found) < 2, f"{name} imports both"
            checked |= {(name, *found)}
    assert ("torch_sampling", "torch") in checked and ("training._here", "tensorflow") in checked


FUNCTION = (ast.FunctionDef, ast.ClassDef)


def _top(tree):
    """What runs when a module is imported; what is for type checkers alone does not."""
    return [node for node in tree.body if not isinstance(node, (*FUNCTION, ast.If))]


def _modules(body):
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr == "import_tensorflow":
            yield "tensorflow"


def _reach(module, reached):
    """Adds a module and all that importing it imports; of others' packages the name alone."""
    parts = module.split(".")
    if module in reached:
        return
    reached.add(module)
    if parts[:-1]:
        _reach(".".join(parts[:-1]), reached)
    for folder in (BENCHMARKS, ROOT):
        place = folder.joinpath(*parts)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                for name in _modules(_top(ast.parse(path.read_text()))):
                    _reach(name, reached)
