r"""The scores. Every module in this folder is a metric, found by being here: no list names them.

To add one, add a file. `brightness.py` would be whole as

    ORDER = 200
    SCORES = {"brightness": "mean of all pixels; a generator's should be the real test set's"}

    def measure(view):
        return {"brightness": float(view.images.mean() / 255)}

and its score then stands in `metrics.json`, in the table and in the report. A metric holds

* `ORDER`: its place in the table, from the lowest up; equal ones stand by their modules' names.
* `SCORES`: `{pattern: what the number says, in a sentence}`. A pattern is a regular expression of a
  score's whole name, as `r"fcd(?P<count>[\dk]+)_train"`. Its groups, where it has any, are `count`,
  the number of samples, which the report leaves out of the name; `class`, in a score that has a
  number for each class; and others that the sentence names in braces, as `{i}`.
* `measure(view)`: returns `{score's name: number}` of a `View`: once of the samples, once of the
  real test set. What has no meaning for the real test set is left out there.
* `BEST`, where its scores are by class: `min` or `max`, whichever class is the best one.
* `JUDGED = True`, where it compares the judge's features. Of images without labels that judge is
  another, and `BY_VIEWS` stands behind the names of the scores.
* `warnings(scores)`, if there is anything to warn of: returns lines, of the samples' scores.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from sgan_tf.evaluation.protocol import BY_VIEWS
from sgan_tf.evaluation.view import View


class Score(NamedTuple):
    """What a score's name tells of it.

    Attributes:
        label: The name with N for the number of samples, as `fcdN_train`; of a score by class,
            which is not measured on all of them, without both, as `fcd_class`.
        meaning: What the number says, in a sentence.
        of_class: The class's name; None for a score that is not of one class.
        best: Of a score by class, `min` or `max`: which class is the best one.
    """

    label: str
    meaning: str
    of_class: str | None = None
    best: Callable = max


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
        if _judged(module) and not view.reference.labelled:
            measured = {f"{name}{BY_VIEWS}": value for name, value in measured.items()}
        for name in measured:
            if name in scores or _described(module, name) is None:
                reason = "another metric has" if name in scores else "its SCORES does not describe"
                raise ValueError(f"{module.__name__} measures {name!r}, which {reason}")
        scores.update(measured)
    return scores


def described(name: str) -> Score:
    """Returns what is known of a score; its name alone when no metric describes it."""
    return next(filter(None, (_described(module, name) for module in found())), Score(name, ""))


def meaning(name: str) -> str:
    """Returns what a score says, in a sentence; nothing for a name that no metric describes."""
    return described(name).meaning


def warnings(scores: dict[str, float]) -> list[str]:
    """Returns the lines with which the metrics warn of samples that have these scores."""
    warning = (module.warnings for module in found() if hasattr(module, "warnings"))
    return [line for warn in warning for line in warn(scores)]


def _judged(module):
    return getattr(module, "JUDGED", False)


def _described(module, name):
    whole, name = name, name.removesuffix(BY_VIEWS) if _judged(module) else name
    matches = ((re.fullmatch(pattern, name), text) for pattern, text in module.SCORES.items())
    match, text = next(((m, text) for m, text in matches if m), (None, None))
    if match is None:
        return None
    groups = match.groupdict()
    for group, value in groups.items():
        text = text.replace(f"{{{group}}}", value)
    of_class = groups.get("class")
    label = name if of_class is None else name.removesuffix(f"_{of_class}")
    if "count" in groups:
        start, stop = match.span("count")
        label = f"{label[:start]}{'N' if of_class is None else ''}{label[stop:]}"
    if name != whole:
        label += BY_VIEWS
        text += "; the judge was trained without labels, on views of the training images"
    return Score(label, text, of_class, getattr(module, "BEST", max))
