"""Imports run downward: the order of the package's rooms, read from the source of its modules."""

import ast
import graphlib
import pathlib

import pytest

PACKAGE = "sgan_tf"
FOLDER = pathlib.Path(__file__).resolve().parents[1] / PACKAGE
# From top to bottom. A room imports itself and what stands in the rows below its own.
ROOMS = (
    ("cli",),
    ("server", "sampling", "client"),
    ("training", "saving"),
    ("evaluation",),
    ("runs",),
    ("models",),
    ("config",),
    ("data",),
    ("utils",),
    ("pretrained", "errors", "typing"),
)
ROW = {room: row for row, rooms in enumerate(ROOMS) for room in rooms}
KEPT_OUT_OF_MODELS = {"absl", "os", "pathlib"}  # the method knows no flag, path or file


def sources(folder):
    """Returns `{module: source}` of all modules in the folder of a package, itself included."""
    texts = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        texts[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return texts


def imports(texts):
    """Finds what each module imports, inside functions too.

    Args:
        texts: `{module: source}`; its keys tell a module from a name that a module holds.

    Returns:
        `{module: set of dotted names}`: modules, relative imports as `.name`, and what is taken out
        of the package itself as `sgan_tf.name`, but for its version.
    """
    return {module: _imported(ast.parse(text), texts) for module, text in texts.items()}


def _imported(tree, modules):
    found, handles = set(), set()  # handles: names that stand for the package itself
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            handles |= {alias.asname or PACKAGE for alias in node.names if alias.name == PACKAGE}
            found |= {alias.name for alias in node.names if alias.name != PACKAGE}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            names = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {n if n in modules or origin == PACKAGE else origin for n in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in handles:
            found.add(f"{PACKAGE}.{node.attr}")
    return found - {f"{PACKAGE}.__version__"}


def room(module):
    """The name after the package's; of the package itself, its own."""
    return module.split(".")[1] if "." in module else module


def of_package(names):
    return sorted(n for n in names if n.startswith((f"{PACKAGE}.", ".")))


def homeless(modules):
    """Returns a line for each module that is in no room."""
    return [f"{m} is in no room of ROOMS" for m in modules if m != PACKAGE and room(m) not in ROW]


def misplaced(imported):
    """Returns a line for each import that does not run downward.

    The package itself may name any module, since it loads them on first use.

    Args:
        imported: What `imports` returns.
    """
    lines = []
    for module, names in imported.items():
        here = room(module)
        if here not in ROW:
            continue
        for name in of_package(names):
            there = room(name)
            if name.startswith(".") or there not in ROW:
                lines.append(f"{module} imports {name}, which is in no room of ROOMS")
            elif there != here and ROW[there] <= ROW[here]:
                lines.append(f"{module} imports {name}, which does not stand below it")
    return lines


def circle(imported):
    """Returns modules of which each imports the next, the first again at the end, or `[]`."""
    try:
        graphlib.TopologicalSorter({m: of_package(n) for m, n in imported.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return []


def kept_out(imported):
    """Returns a line for each import in `models` of what has to do with flags, paths or files."""
    return [
        f"{module} imports {name}"
        for module, names in imported.items()
        for name in sorted(names)
        if room(module) == "models" and name.split(".")[0] in KEPT_OUT_OF_MODELS
    ]


@pytest.fixture(scope="module")
def imported():
    return imports(sources(FOLDER))


def test_every_module_is_in_a_room(imported):
    assert {"sgan_tf", "sgan_tf.errors", "sgan_tf.models"} <= set(imported)  # it looks there
    lines = homeless(imported)
    assert not lines, "\n".join(lines)


def test_rooms_import_what_stands_below_them(imported):
    lines = misplaced(imported)
    assert not lines, "\n".join(lines)


def test_no_modules_import_each_other_in_a_circle(imported):
    modules = circle(imported)
    assert not modules, " imports ".join(modules)


def test_models_know_no_flags_paths_or_files(imported):
    lines = kept_out(imported)
    assert not lines, "\n".join(lines)


def test_a_module_in_no_room_is_named():
    assert homeless(["sgan_tf", "sgan_tf.models.layers", "sgan_tf.attic.chest"]) == [
        "sgan_tf.attic.chest is in no room of ROOMS"
    ]


@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("models.layers", "import sgan_tf.runs", "sgan_tf.runs"),
        ("models.layers", "def f():\n    from sgan_tf.runs import Run", "sgan_tf.runs"),
        ("models.layers", "from sgan_tf import runs as r", "sgan_tf.runs"),
        ("evaluation.judge", "from sgan_tf.training import trainer", "sgan_tf.training.trainer"),
        ("utils.files", "from sgan_tf.models import losses", "sgan_tf.models"),
        ("errors", "import sgan_tf.utils", "sgan_tf.utils"),
        ("runs", "import sgan_tf\nsgan_tf.cli", "sgan_tf.cli"),
        ("runs", "import sgan_tf as package\npackage.cli.app.run()", "sgan_tf.cli"),
    ],
)
def test_an_import_that_does_not_run_downward_is_found(module, source, name):
    found = misplaced(imports({f"sgan_tf.{module}": source, name: ""}))
    assert found == [f"sgan_tf.{module} imports {name}, which does not stand below it"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from sgan_tf import StackedGAN", "sgan_tf.StackedGAN"),
        ("import sgan_tf\nsgan_tf.Run('runs/demo')", "sgan_tf.Run"),
        ("from sgan_tf.attic import chest", "sgan_tf.attic"),
        ("from .models import layers", ".models"),
        ("from . import models", "."),
    ],
)
def test_an_import_from_no_room_is_found(source, name):
    (line,) = misplaced(imports({"sgan_tf.cli.train": source, "sgan_tf.models.layers": ""}))
    assert line == f"sgan_tf.cli.train imports {name}, which is in no room of ROOMS"


def test_imports_that_run_downward_pass():
    texts = {
        "sgan_tf": "import importlib\nimport sgan_tf.cli.train",
        "sgan_tf.cli": "",
        "sgan_tf.cli.app": "import os\nfrom sgan_tf.errors import UserError",
        "sgan_tf.cli.train": "from sgan_tf.cli import app\nfrom sgan_tf.training import trainer",
        "sgan_tf.training.trainer": "import sgan_tf\nfrom sgan_tf import runs\nsgan_tf.__version__",
        "sgan_tf.runs": "from sgan_tf import __version__",
        "sgan_tf.errors": "",
        "sgan_tf.utils": "import sgan_tf.errors",
    }
    imported = imports(texts)
    assert misplaced(imported) == [] and circle(imported) == [] and homeless(imported) == []


def test_a_circle_is_found_and_named():
    texts = {
        "sgan_tf.models.a": "from sgan_tf.models import b",
        "sgan_tf.models.b": "def f():\n    from sgan_tf.models.c import g",
        "sgan_tf.models.c": "import sgan_tf.models.a",
    }
    order = [f"sgan_tf.models.{name}" for name in "abcabc"]
    assert circle(imports(texts)) in [order[start : start + 4] for start in range(3)]


def test_what_is_kept_out_of_models_is_found_there_alone():
    texts = {
        "sgan_tf.models.a": "def f():\n    from os.path import join",
        "sgan_tf.models.b": "import absl.flags, keras",
        "sgan_tf.models": "from pathlib import Path",
        "sgan_tf.runs": "import os, pathlib",
    }
    assert kept_out(imports(texts)) == [
        "sgan_tf.models.a imports os.path",
        "sgan_tf.models.b imports absl.flags",
        "sgan_tf.models imports pathlib",
    ]
