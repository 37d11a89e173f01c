"""Imports TF-GAN's scores with a current TensorFlow.

TF-GAN 2.1.0 cannot be imported as a whole, as it needs `tf.estimator`, which TensorFlow 2.16 has
removed. Its module of scores does not need it. So its parent packages are replaced by empty ones
while that module is imported.
"""

import functools
import importlib
import importlib.util
import sys
import types

_PARENTS = ("tensorflow_gan", "tensorflow_gan.python", "tensorflow_gan.python.eval")


@functools.cache
def classifier_metrics() -> types.ModuleType:
    """Returns TF-GAN's module `classifier_metrics`.

    The first call imports TensorFlow Probability. The module's kernel distance is wrong under XLA,
    so call it outside of `jit_compile`.
    """
    whole = {name: sys.modules[name] for name in _loaded()}
    spec = importlib.util.find_spec("tensorflow_gan")  # does not run the package
    assert spec is not None and spec.submodule_search_locations  # it is a dependency
    root = spec.submodule_search_locations[0]
    for name in _PARENTS:
        parent = types.ModuleType(name)
        parent.__path__ = ["/".join([root, *name.split(".")[1:]])]
        sys.modules[name] = parent
    try:
        return importlib.import_module("tensorflow_gan.python.eval.classifier_metrics")
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(whole)


def _loaded():
    return [name for name in sys.modules if name.split(".")[0] == "tensorflow_gan"]
