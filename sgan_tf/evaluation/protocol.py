"""What an evaluation shares: its errors, its number of samples, how it shows its progress."""

from collections.abc import Callable, Iterable

import numpy as np

from sgan_tf.errors import UserError

LEAST_SAMPLES = 40  # a tenth of them must have a distribution, and each needs three neighbours

LEAST_OF_CLASS = 10  # images of a class, below which it has no scores of its own

Wrapper = Callable[[Iterable], Iterable]  # shows on the way through how far an iterable is
ProgressBars = Callable[[str], Wrapper]  # from the name of the work to its wrapper


class EvaluationError(UserError):
    """A run that cannot be measured; the message says why."""


class Unmeasurable(EvaluationError):
    """A score that these images do not allow; the message says what it needs."""


def unseen(blocks: Iterable) -> Iterable:
    """The wrapper that shows nothing."""
    return blocks


def silent(what: str) -> Wrapper:
    """The `ProgressBars` that shows nothing."""
    return unseen


def check_rows(least: int, *arrays: np.ndarray) -> None:
    """Raises `Unmeasurable` unless each array has `least` rows, which are one per image."""
    fewest = min(map(len, arrays))
    if fewest < least:
        raise Unmeasurable(f"needs at least {least} images of each kind, and there are {fewest}")


def check_samples(samples: int, num_classes: int) -> None:
    """Raises `EvaluationError` when so few samples cannot be measured."""
    least = max(LEAST_SAMPLES, num_classes)
    if samples < least:
        raise EvaluationError(
            f"`samples`: {samples} are too few for {num_classes} classes; at least {least} are "
            "needed"
        )
