"""The examples in the docstrings of the public names are run; every public class has one."""

import doctest
import inspect

import pytest

import sgan_tf

# What carries data or says what went wrong: nothing is done with it that an example could show.
PLAIN = {"Decomposition", "EncoderConfig", "JointConfig", "LevelConfig", "ImageDataset"}
PUBLIC = [name for name in sgan_tf.__all__ if name != "__version__"]
CLASSES = [
    name
    for name in PUBLIC
    if inspect.isclass(getattr(sgan_tf, name)) and not name.endswith("Error") and name not in PLAIN
]


def examples(name):
    thing = getattr(sgan_tf, name)
    module = inspect.getmodule(thing)
    found = doctest.DocTestFinder(recurse=False).find(thing, name, module, vars(module))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_shows_how_it_is_used(name):
    assert examples(name)


@pytest.mark.parametrize("name", [name for name in PUBLIC if examples(name)])
def test_examples_do_what_they_say(name, capsys):
    (test,) = examples(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    test.globs = dict(vars(inspect.getmodule(getattr(sgan_tf, name))), sgan_tf=sgan_tf)
    failures = []
    runner.run(test, out=failures.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(failures)


def test_the_package_lists_its_public_names():
    assert set(PUBLIC) <= set(dir(sgan_tf))
