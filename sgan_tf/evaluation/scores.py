"""The scores of an evaluation, their names in `metrics.json`, and the meanings of their keys."""

import dataclasses
from typing import Literal, NamedTuple

# Suffix of scores whose judge was trained without labels, on views of the images.
BY_VIEWS = "_by_views"


@dataclasses.dataclass(frozen=True)
class Score:
    """One number that a metric has measured.

    Attributes:
        key: String. The name of the score without numbers and class, for example `fcd_train`.
        value: Float. The number.
        count: Integer. The number of samples, if the score depends on it. Defaults to None.
        parts: Integer. The number of parts that the samples were split into, if the score is a mean
            or deviation over them. Defaults to None.
        class_name: String. The class, if there is a number for each class. Defaults to None.
        level: Integer. The level, if there is a number for each level. Defaults to None.
        by_views: Boolean. Whether the judge was trained without labels, on views of the images.
            Defaults to False.
    """

    key: str
    value: float
    count: int | None = None
    parts: int | None = None
    class_name: str | None = None
    level: int | None = None
    by_views: bool = False

    @property
    def name(self) -> str:
        """The name in `metrics.json`, for example `fcd50k_train` or `fcd50k_class_cat`."""
        count = "" if self.count is None else short(self.count)
        if self.parts is not None and self.count is not None:
            count += f"_{self.parts}x{short(self.count // self.parts)}"
        return self._with_count(count)

    @property
    def label(self) -> str:
        """The name with N for the number of samples, for example `fcdN_train`."""
        return self._with_count("" if self.count is None else "N")

    def _with_count(self, count):
        first, *rest = self.key.split("_")
        which = self.level if self.class_name is None else self.class_name
        words = [first + count, *rest, *([] if which is None else [str(which)])]
        return "_".join(words) + BY_VIEWS * self.by_views


@dataclasses.dataclass(frozen=True)
class Description:
    """What the scores of one key mean.

    Attributes:
        text: String. What the number says, in a sentence without a full stop. `{level}` and
            `{count}` are replaced by those of the score.
        better: String, `higher` or `lower`. Which values are better. Defaults to None, for scores
            that have another ideal.
        per: String, `class` or `level`. Whether there is a number for each class, with or without
            their mean, or for each level. Defaults to None.
        real: Boolean. Whether the real test set has the score too. Defaults to True.
        judged: Boolean. Whether the score compares features of the judge, which is trained
            differently for images without labels. Defaults to False.
        same_count: Boolean. Whether the real test set is measured on `count` images too. Otherwise
            it is measured on all of its images, and the report writes N for the number. Defaults to
            False.
    """

    text: str
    better: Literal["higher", "lower"] | None = None
    per: Literal["class", "level"] | None = None
    real: bool = True
    judged: bool = False
    same_count: bool = False

    def label(self, score: Score) -> str:
        """Returns the name of a score in the report, which is the key for the score of a class."""
        if score.class_name is not None:  # the score of a class is not measured on all samples
            return score.key
        return score.name if self.same_count else score.label

    def meaning(self, score: Score) -> str:
        """Returns what a score says, in a sentence."""
        count = None if score.count is None else short(score.count)
        text = self.text.format(level=score.level, count=count)
        if self.better:
            text += f" ({self.better} is better)"
        if score.by_views:
            text += "; the judge was trained without labels, on views of the training images"
        return text

    def read(self, key: str, name: str, value: float) -> Score | None:
        """Makes the score that has a name, as the inverse of `Score.name`.

        Args:
            key: String. The key that is described.
            name: String. The name of the score.
            value: Float. The value of the score.

        Returns:
            The `Score`. None if it is the name of a score with another key.
        """
        first, _, rest = key.partition("_")
        text = name.removeprefix(first)
        by_views = self.judged and text.endswith(BY_VIEWS)
        digits, _, text = text.removesuffix(BY_VIEWS if by_views else "").partition("_")
        count, parts = _count(digits), None
        split, _, after = text.partition("_")
        times, x, _ = split.partition("x")
        if count is not None and x and times.isdecimal() and int(times):
            parts, text = int(times), after
        which = text.removeprefix(rest).removeprefix("_")
        score = Score(
            key,
            value,
            count=count,
            parts=parts,
            class_name=which or None if self.per == "class" else None,
            level=int(which) if self.per == "level" and which.isdecimal() else None,
            by_views=by_views,
        )
        return score if score.name == name else None  # the parts may be those of another name


class Evaluation(NamedTuple):
    """The scores of an evaluation.

    Attributes:
        samples: List of `Score`. The scores of the samples.
        real: List of `Score`. The scores of the real test set.
    """

    samples: list[Score]
    real: list[Score]


def short(count: int) -> str:
    """Returns a count as the names of scores write it: 50000 is `50k`, 1234 is `1234`."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def by_class(key: str, values: dict[str, float], count: int) -> list[Score]:
    """Returns the mean of a score over the classes, then the score of each class.

    Args:
        key: String. The key of the score.
        values: Dictionary. `{class name: number}`. If it is empty, there is no score.
        count: Integer. The number of samples.

    Returns:
        List of `Score`.
    """
    if not values:
        return []
    mean = sum(values.values()) / len(values)
    of_classes = [Score(key, value, count, class_name=c) for c, value in values.items()]
    return [Score(key, mean, count), *of_classes]


def to_json(scores: list[Score]) -> dict[str, float]:
    """Returns scores as `{name: number}` for `metrics.json`, the inverse of `metrics.read`."""
    return {score.name: score.value for score in scores}


def _count(text):
    """Reads a count that `short` has written; None if the text is no count."""
    digits = text.removesuffix("k")
    if not digits.isdecimal():
        return None
    return int(digits) * (1000 if text.endswith("k") else 1)
