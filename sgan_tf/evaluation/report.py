"""The table and the self-contained HTML page of an evaluation."""

import base64
import io
import json
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from sgan_tf.evaluation.metrics import descriptions, read
from sgan_tf.evaluation.metrics.levels import TERMS
from sgan_tf.evaluation.scores import Description, Evaluation
from sgan_tf.utils.images import MOST_CLASSES

CLASS_DISTANCE = "fcd_class"  # the key of the score that ranks classes if there are many
EXTREMES = 5  # number of worst and of best classes that are shown of more than MOST_CLASSES
NARROW = 500  # pixels: pictures up to this width are enlarged, two per row
CURVES = (
    "Of level i, adv_i, cond_i and ent_i are the three losses of the generator (fool D_i, keep the "
    "condition, let Q_i find the noise) and d_loss_i is the loss of D_i; class is the "
    "cross-entropy of the class asked for, as the encoder reads the image; spread_i and "
    "conditional_spread_i are how widely generated h_i spread over the real spread, the second "
    "where the noise alone differs; loss and accuracy are the encoder's on training images."
)


class ScoreRow(NamedTuple):
    """A score of all images.

    Attributes:
        name: String. The name in metrics.json.
        label: String. The name in the report.
        samples: String. The score of the samples.
        real: String. The score of the real test set.
        meaning: String. What the score says.
    """

    name: str
    label: str
    samples: str
    real: str
    meaning: str


class ByClass(NamedTuple):
    """A score that has a number for each class.

    Attributes:
        label: String. The name in the report.
        meaning: String. What the score says.
        lower_is_better: Boolean. Whether lower numbers are better.
        samples: Dictionary. The numbers of the samples, `{class name: number}`.
        real: Dictionary. The numbers of the real test set, `{class name: number}`.
    """

    label: str
    meaning: str
    lower_is_better: bool
    samples: dict[str, float]
    real: dict[str, float]

    def cell(self, name: str) -> tuple[str, str]:
        """Returns a class's numbers as text, `(samples, real)`."""
        return shown(self.samples.get(name)), shown(self.real.get(name))

    def mean(self) -> tuple[str, str]:
        """Returns the means over the classes as text, `(samples, real)`."""
        samples, real = (
            shown(float(np.mean(list(of.values()))) if of else None)
            for of in (self.samples, self.real)
        )
        return samples, real

    def worst(self) -> list[str]:
        """Returns the names of the `EXTREMES` worst classes, the worst one first."""
        names = sorted(self.samples, key=self.samples.__getitem__, reverse=self.lower_is_better)
        return names[:EXTREMES]

    def finest(self) -> list[str]:
        """Returns the names of the `EXTREMES` best classes, the best one first."""
        names = sorted(self.samples, key=self.samples.__getitem__, reverse=not self.lower_is_better)
        return names[:EXTREMES]


def shown(number: float | None) -> str:
    """Returns a score as text, or a dash for None."""
    return "–" if number is None else f"{number:.4g}"


def rows(evaluation: Evaluation) -> list[ScoreRow]:
    """Returns the scores of all images, without the scores by class and their means.

    Args:
        evaluation: `Evaluation`. The scores of the samples and of the real test set.

    Returns:
        List of `ScoreRow`.
    """
    known, real = descriptions(), {score.name: score.value for score in evaluation.real}
    of_classes = {score.key for score in evaluation.samples if score.class_name is not None}
    found = []
    for score in evaluation.samples:
        if score.key not in of_classes:
            about = known.get(score.key, Description(""))
            numbers = shown(score.value), shown(real.get(score.name))
            found.append(ScoreRow(score.name, about.label(score), *numbers, about.meaning(score)))
    return found


def by_class(evaluation: Evaluation) -> list[ByClass]:
    """Returns the scores that have a number for each class.

    Args:
        evaluation: `Evaluation`. The scores of the samples and of the real test set.

    Returns:
        List of `ByClass`.
    """
    known, real = descriptions(), {score.name: score.value for score in evaluation.real}
    found: dict[str, ByClass] = {}
    for score in evaluation.samples:
        if score.class_name is not None:
            about = known[score.key]
            entry = ByClass(
                about.label(score), about.meaning(score), about.better == "lower", {}, {}
            )
            entry = found.setdefault(score.key, entry)
            entry.samples[score.class_name] = score.value
            if score.name in real:
                entry.real[score.class_name] = real[score.name]
    return list(found.values())


def counts(facts: dict) -> tuple[int, int]:
    """Returns the numbers of images that were measured.

    Args:
        facts: Dictionary. The content of `metrics.json`.

    Returns:
        `(samples, test images)`, two integers.
    """
    return facts["settings"]["samples"], facts["data"]["test_images"]


def shown_classes(facts: dict) -> list[int] | None:
    """Returns the labels that pictures show, if there are too many classes to show all of them.

    Args:
        facts: Dictionary. The content of `metrics.json`.

    Returns:
        List of integers. The labels of the worst and the best classes by Fréchet distance, or the
        first labels if it was not measured. None if pictures show all classes.
    """
    names = facts["data"]["class_names"]
    if len(names) <= MOST_CLASSES:
        return None
    for score in by_class(_evaluation(facts)):
        if score.label == CLASS_DISTANCE:
            return [names.index(name) for name in dict.fromkeys(score.worst() + score.finest())]
    return list(range(2 * EXTREMES))


def table(facts: dict) -> str:
    """Returns the scores as aligned text, with a summary if there are many classes.

    Args:
        facts: Dictionary. The content of `metrics.json`.

    Returns:
        String.
    """
    (samples, real), evaluation = counts(facts), _evaluation(facts)
    head = ("score", f"{samples:,} samples", f"{real:,} real test images")
    lines = _align([head, *((row.name, row.samples, row.real) for row in rows(evaluation))])
    names, scores = facts["data"]["class_names"], by_class(evaluation)
    if not scores:
        return lines
    if len(names) > MOST_CLASSES:
        return f"{lines}\n\n{_summary(scores)}"
    cells = [
        ("by class: samples (real)", *(score.label for score in scores)),
        ("mean", *("{} ({})".format(*score.mean()) for score in scores)),
        *((name, *("{} ({})".format(*s.cell(name)) for s in scores)) for name in names),
    ]
    return f"{lines}\n\n{_align(cells)}"


def _evaluation(facts):
    return Evaluation(read(facts["samples"]), read(facts["real"]))


def _align(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join([f"{name:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(cells, widths[1:]))])
        for name, *cells in lines
    )


def _summary(scores):
    lines = []
    for score in scores:
        lines.append("{}: mean {} (real {})".format(score.label, *score.mean()))
        for title, names in (("worst", score.worst()), ("best", score.finest())):
            listed = ", ".join("{} {} ({})".format(name, *score.cell(name)) for name in names)
            lines.append(f"  {title}: {listed}")
    return "\n".join(["by class: samples (real)", *lines])


def html(facts: dict, figures: dict[str, bytes], curves: dict[str, str] | None = None) -> str:
    """Returns the report as one HTML page that contains its pictures.

    Args:
        facts: Dictionary. The content of `metrics.json`.
        figures: Dictionary. `{caption: bytes of a PNG file}`.
        curves: Dictionary. `{stage: <svg> element}`, as `figures.curve_drawings` returns them.
            Defaults to None, no curves.

    Returns:
        String.
    """
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(pathlib.Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    conditions = {"config": facts["config"], "versions": facts["versions"]}
    (samples, real), evaluation = counts(facts), _evaluation(facts)
    return environment.get_template("report.html").render(
        facts=facts,
        samples=samples,
        real=real,
        figures=[_picture(caption, image) for caption, image in figures.items()],
        terms=TERMS,
        rows=rows(evaluation),
        by_class=by_class(evaluation),
        summarised=len(facts["data"]["class_names"]) > MOST_CLASSES,
        curves=curves or {},
        about_curves=CURVES,
        configuration=json.dumps(conditions, indent=2),
    )


def _picture(caption, image):
    """Returns a figure of the page: its title, text, kind of layout, width in pixels and bytes."""
    title, _, text = caption.partition(": ")
    width, height = Image.open(io.BytesIO(image)).size
    kind = "large" if width > NARROW else "small tall" if height > 1.5 * width else "small"
    return title, text, kind, width, base64.b64encode(image).decode()
