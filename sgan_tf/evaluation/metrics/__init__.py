r"""The scores. Every module in this folder is a metric, found by being here: no list names them.

To add one, add a file. `brightness.py` would be whole as

    ORDER = 200
    SCORES = {"brightness": "mean of all pixels; a generator's should be the real test set's"}

    def measure(view):
        return {"brightness": float(view.images.mean() / 255)}

and its score then stands in `metrics.json`, in the table and in the report. A metric holds

* `ORDER`: its place in the table, from the lowest up; equal ones stand by their modules' names.
* `SCORES`: `{pattern: what the number says}`. A pattern is a regular expression of a score's whole
  name, as `r"fcd[\dk]+_train"`.
* `measure(view)`: returns `{score's name: number}` of a `View`: once of the samples, once of the
  real test set. What has no meaning for the real test set is left out there.
"""

import importlib
import pkgutil
import re
from types import ModuleType

from sgan_tf.evaluation.view import View


def found() -> list[ModuleType]:
    """Returns the metrics' modules, in the order of the table."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    return sorted(modules, key=lambda module: (module.ORDER, module.__name__))


def measure(view: View) -> dict[str, float]:
    """Returns `{score's name: number}` of all metrics, in their order.

    Raises:
        ValueError: when a metric returns a score that its `SCORES` does not describe, or one that
            another metric returned.
    """
    scores = {}
    for module in found():
        measured = module.measure(view)
        for name in measured:
            if name in scores or _meaning(module, name) is None:
                reason = "another metric has" if name in scores else "its SCORES does not describe"
                raise ValueError(f"{module.__name__} measures {name!r}, which {reason}")
        scores.update(measured)
    return scores


def meaning(name: str) -> str:
    """Returns what a score says, in a sentence; nothing for a name that no metric describes."""
    return next(filter(None, (_meaning(module, name) for module in found())), "")


def _meaning(module, name):
    fitting = (text for pattern, text in module.SCORES.items() if re.fullmatch(pattern, name))
    return next(fitting, None)
