"""What an evaluation shares: its errors, its number of samples, how it shows its progress."""

from collections.abc import Callable, Iterable

from sgan_tf.errors import UserError

LEAST_SAMPLES = 40  # a tenth of them must have a distribution, and each needs three neighbours

LEAST_OF_CLASS = 10  # images of a class, below which it has no scores of its own

# Behind the names of scores whose judge was trained without labels, on views of the images.
BY_VIEWS = "_by_views"

Wrapper = Callable[[Iterable], Iterable]  # shows on the way through how far an iterable is
ProgressBars = Callable[[str], Wrapper]  # from the name of the work to its wrapper


class EvaluationError(UserError):
    """A run that cannot be measured; the message says why."""


def unseen(blocks: Iterable) -> Iterable:
    """The wrapper that shows nothing."""
    return blocks


def silent(what: str) -> Wrapper:
    """The `ProgressBars` that shows nothing."""
    return unseen


def short(count: int) -> str:
    """Returns a count as the names of the scores have it: 50000 is `50k`, 1234 is `1234`."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def by_class(name: str, values: dict[str, float]) -> dict[str, float]:
    """Returns scores by class as they stand in metrics.json: their mean, then a row a class.

    Args:
        name: Of the score; the class's name is put behind it.
        values: `{class's name: number}`; nothing is returned for none.
    """
    if not values:
        return {}
    mean = sum(values.values()) / len(values)
    return {name: mean, **{f"{name}_{c}": value for c, value in values.items()}}


def check_samples(samples: int, num_classes: int) -> None:
    """Raises `EvaluationError` when so few samples cannot be measured."""
    least = max(LEAST_SAMPLES, num_classes)
    if samples < least:
        raise EvaluationError(
            f"`samples`: {samples} are too few for {num_classes} classes; at least {least} are "
            "needed"
        )
