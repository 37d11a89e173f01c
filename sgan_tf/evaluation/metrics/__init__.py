"""The metrics. Every module in this folder is a metric, and no list has to name it.

To add a metric, add a file. This is all of `brightness.py`:

    from sgan_tf.evaluation.scores import Description, Score

    ORDER = 200
    SCORES = {"brightness": Description("mean of all pixels, which should be that of real images")}

    def measure(view):
        return [Score("brightness", float(view.images.mean() / 255))]

Its score is then in `metrics.json`, in the table and in the report. A metric has

* `ORDER`: Integer. Its place in the table, lowest first. Modules with equal ones are sorted by
  name.
* `SCORES`: Dictionary. `{key: Description}` of every score that it measures.
* `measure(view)`: Function. It returns or yields the `Score`s of a `View`. It is called once for
  the samples and once for the real test set, whose `View` has no stack. If there are too few images
  for a score, it raises `Unmeasurable`. That score and those after it are then left out.
* `warnings(scores)`: Function, optional. It returns lines that warn of the samples' scores.
"""

import dataclasses
import importlib
import logging
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING

from sgan_tf.evaluation.protocol import Unmeasurable
from sgan_tf.evaluation.scores import Description, Score

if TYPE_CHECKING:  # programs read the names of scores before Keras is imported
    from sgan_tf.evaluation.view import View

log = logging.getLogger("sgan_tf")


def found() -> list[ModuleType]:
    """Returns the modules of the metrics, in the order of the table."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    return sorted(modules, key=lambda module: (module.ORDER, module.__name__))


def descriptions() -> dict[str, Description]:
    """Returns `{key: Description}` of all scores."""
    return {key: text for module in found() for key, text in module.SCORES.items()}


def measure(view: "View") -> list[Score]:
    """Measures images by all metrics.

    A score that cannot be measured on the images is left out, and a line in the log says what it
    needs.

    Args:
        view: `View`. The images.

    Returns:
        List of `Score`, in the order of the table.

    Raises:
        ValueError: when a metric returns a score that its `SCORES` does not describe, or that
            another metric returned.
    """
    scores = {}
    for module in found():
        for score in _scores_of(module, view):
            if score.name in scores or score.key not in module.SCORES:
                reason = "another metric has" if score.name in scores else "it does not describe"
                raise ValueError(f"{module.__name__} measures {score.name!r}, which {reason}")
            scores[score.name] = score
    return list(scores.values())


def read(numbers: dict[str, float]) -> list[Score]:
    """Reads scores from `metrics.json`, which any version may have written.

    Args:
        numbers: Dictionary. `{name: number}`.

    Returns:
        List of `Score`. If no metric measures a score any more, the score's key is its name.
    """
    known = descriptions().items()
    scores = []
    for name, value in numbers.items():
        candidates = (description.read(key, name, value) for key, description in known)
        scores.append(next(filter(None, candidates), Score(name, value)))
    return scores


def warnings(scores: list[Score]) -> list[str]:
    """Returns the warnings of all metrics for samples.

    Args:
        scores: List of `Score`. The scores of the samples.

    Returns:
        List of strings, one line each.
    """
    warning = (module.warnings for module in found() if hasattr(module, "warnings"))
    return [line for warn in warning for line in warn(scores)]


def _scores_of(module, view):
    """Returns the scores of one metric that can be measured, and logs which ones cannot."""
    scores = []
    try:
        for score in module.measure(view):
            description = module.SCORES.get(score.key)
            by_views = description and description.judged and not view.reference.labelled
            scores.append(dataclasses.replace(score, by_views=True) if by_views else score)
    except Unmeasurable as error:
        of = "the real test set" if view.stack is None else "the samples"
        known = {score.key for score in scores}
        left = [
            key
            for key, description in module.SCORES.items()
            if key not in known and (description.real or view.stack is not None)
        ]
        log.warning("%s of %s: left out, %s", ", ".join(left), of, error)
    return scores
