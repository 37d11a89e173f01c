"""Scores of what layers keep and ignore, as a table, as captions and as a file by the picture."""

import dataclasses
import json
import pathlib

from sgan_tf.utils.files import write_whole

PICTURE = "inspect.png"  # in a run folder; `save` writes the numbers beside it
HEAD = ("shared", "relative error (quartiles)", "unrelated images", "same class", "pixel std")


@dataclasses.dataclass(frozen=True)
class LayerScores:
    """Scores of one condition over all its images and draws.

    Attributes:
        name: String. The name of the condition: `h_1`, …, or `label`.
        images: Integer. The number of real images.
        draws: Integer. The number of images drawn for each real image.
        relative_error: Float. The median of `||E(x') - h|| / ||h||`. For the label, h is one-hot
            and E(x') are the probabilities of the classes.
        quartiles: Tuple of two floats. The lower and the upper quartile of the relative error.
        unrelated_error: Float. The median relative error between the h of two different real
            images, which an x' that keeps nothing would have. None for a single image.
        agreement: Float in [0, 1]. The share of x' in which E sees the class that it sees in x.
        pixel_std: Float. The root of the mean variance of a pixel among draws, with pixels in
            [0, 1].
    """

    name: str
    images: int
    draws: int
    relative_error: float
    quartiles: tuple[float, float]
    unrelated_error: float | None
    agreement: float
    pixel_std: float


def markdown(scores: list[LayerScores]) -> str:
    """Returns a Markdown table of `LayerScores`, one row per condition."""
    lines = [HEAD, ["---"] * len(HEAD)]
    for s in scores:
        unrelated = "–" if s.unrelated_error is None else f"{s.unrelated_error:.2g}"
        lines.append((s.name, _error(s), unrelated, f"{s.agreement:.1%}", f"{s.pixel_std:.3f}"))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def caption(scores: LayerScores) -> str:
    """Returns a line on how well the images that share a condition keep it."""
    return f"{scores.name}: relative error {_error(scores)}, same class {scores.agreement:.0%}"


def save(path: pathlib.Path, facts: dict, picture: bytes) -> None:
    """Writes a picture of layers, and its facts beside it as .json.

    Args:
        path: `pathlib.Path`. The path of the picture.
        facts: Dictionary for JSON. `captions` are lines for the picture, and `weights` is what
            `Run.weights` returned.
        picture: Bytes. The content of the picture's file.
    """
    # The facts are written first, as they say which weights the picture is of.
    write_whole(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    write_whole(path, picture)


def read_facts(path: pathlib.Path) -> dict | None:
    """Returns the facts that `save` wrote beside a picture.

    Args:
        path: `pathlib.Path`. The path of the picture.

    Returns:
        A dictionary. None if there is no such file, or if it is not one that `save` wrote.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and {"captions", "weights"} <= facts.keys() else None


def for_report(folder: pathlib.Path, weights: dict[str, str]) -> dict[str, bytes]:
    """Returns the picture of a run folder's inspection, if it is of the same weights.

    Args:
        folder: `pathlib.Path`. The run folder.
        weights: Dictionary. The `Run.weights` that the report is on.

    Returns:
        `{caption: bytes of a PNG file}`, which is empty if there is no such picture.
    """
    facts, path = read_facts(folder / PICTURE), folder / PICTURE
    if facts is None or facts["weights"] != weights or not path.exists():
        return {}
    numbers = "; ".join(facts["captions"])
    caption = f"What each layer keeps: a row of images shares its h_i ({numbers})"
    return {caption: path.read_bytes()}


def _error(scores):
    lower, upper = scores.quartiles
    return f"{scores.relative_error:.2g} ({lower:.2g} to {upper:.2g})"
