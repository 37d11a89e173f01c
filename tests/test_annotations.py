"""Everything public says its types, and type checkers see the names that the package loads late."""

import ast
import pathlib

import pytest

import sgan_tf

FOLDER = pathlib.Path(sgan_tf.__file__).parent


def unannotated(source):
    """Returns `["name: what has no annotation", ...]` of the public functions in a module.

    Public are functions and methods of public classes without a leading underscore, and methods
    that Python itself calls. Functions inside of functions are not.
    """
    return [line for name, node in _public(ast.parse(source), "") if (line := _lacking(name, node))]


def _public(parent, prefix):
    for node in parent.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
            not node.name.startswith("_") or node.name.endswith("__")
        ):
            yield f"{prefix}{node.name}", node


def _lacking(name, node):
    given = node.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = [a.arg for a in arguments if a and not a.annotation]
    if "." in name:
        names = [n for n in names if n not in ("self", "cls")]
    names += [] if node.returns else ["return"]
    return f"{name}: {', '.join(names)}" if names else None


def test_everything_public_is_annotated():
    paths = [path.relative_to(FOLDER).as_posix() for path in sorted(FOLDER.rglob("*.py"))]
    assert {"models/layers/spectral.py", "server/rest.py", "errors.py"} <= set(paths)
    lines = [
        f"{path}: {line}" for path in paths for line in unannotated((FOLDER / path).read_text())
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(a, *b, c=1, **d): ...", ["f: a, c, b, d, return"]),
        ("def f(a: int) -> None: ...", []),
        ("async def f(self): ...", ["f: self, return"]),
        ("def _f(a): ...", []),
        ("def f() -> None:\n    def g(a): ...", []),
        ("class A:\n    def __init__(self, a): ...", ["A.__init__: a, return"]),
        ("class A:\n    def call(self, x, training: bool = False) -> None: ...", ["A.call: x"]),
        ("class A:\n    @classmethod\n    def f(cls) -> None: ...", []),
        ("class A:\n    def _f(self, a): ...", []),
        ("class A:\n    class B:\n        def f(self): ...", ["A.B.f: return"]),
        ("class _A:\n    def f(self, a): ...", []),
    ],
)
def test_what_has_no_annotation_is_named(source, found):
    assert unannotated(source) == found


def test_type_checkers_see_the_names_that_are_loaded_on_first_use():
    tree = ast.parse((FOLDER / "__init__.pyi").read_text())
    homes = {
        alias.asname: (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == {name: (f"sgan_tf.{home}", name) for name, home in sgan_tf._HOMES.items()}
