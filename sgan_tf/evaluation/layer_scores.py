"""Numbers of what layers keep and ignore: as a table, as captions, and as a file by the picture."""

import dataclasses
import json
import pathlib

from sgan_tf.utils.files import write_whole

PICTURE = "inspect.png"  # in a run folder; `save` puts the numbers beside it
HEAD = ("shared", "relative error (quartiles)", "unrelated images", "same class", "pixel std")


@dataclasses.dataclass(frozen=True)
class LayerScores:
    """Numbers of one condition, over all its images and draws.

    Attributes:
        name: `h_1`, …, or `label`.
        images, draws: Numbers of real images, and of images drawn for each.
        relative_error: Median of `||E(x') - h|| / ||h||`. Of the label, h is one-hot and E(x') are
            the probabilities of the classes.
        quartiles: The lower and the upper quartile of the same.
        unrelated_error: Median of the same between the h of two different real images, as of an x'
            that keeps nothing; None of a single image.
        agreement: Share of x' in which E sees the class that it sees in x.
        pixel_std: Root of the mean variance of a pixel among draws, pixels lying in [0, 1].
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
    """Returns a table of `LayerScores`, a row a condition."""
    lines = [HEAD, ["---"] * len(HEAD)]
    for s in scores:
        unrelated = "–" if s.unrelated_error is None else f"{s.unrelated_error:.2g}"
        lines.append((s.name, _error(s), unrelated, f"{s.agreement:.1%}", f"{s.pixel_std:.3f}"))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def caption(scores: LayerScores) -> str:
    """Returns in a line how well images that share a condition keep it."""
    return f"{scores.name}: relative error {_error(scores)}, same class {scores.agreement:.0%}"


def save(path: pathlib.Path, facts: dict, picture: bytes) -> None:
    """Writes a picture of layers, and beside it, as .json, what is known of it.

    Args:
        path: Of the picture.
        facts: For JSON. `captions` are lines for the picture, `weights` what `Run.weights` returns.
        picture: The content of the file.
    """
    # The facts first: they say whose file the picture is.
    write_whole(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    write_whole(path, picture)


def read_facts(path: pathlib.Path) -> dict | None:
    """Returns the facts that `save` left beside a picture; None where there are none of its own."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and {"captions", "weights"} <= facts.keys() else None


def for_report(folder: pathlib.Path, weights: dict[str, str]) -> dict[str, bytes]:
    """Returns `{caption: picture}` of a run folder's inspection, if it is of these weights.

    Args:
        folder: Of the run.
        weights: `Run.weights` of what is reported on.
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
