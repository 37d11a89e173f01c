"""What the parts of an evaluation share: errors, numbers of samples, and progress bars."""

from collections.abc import Callable, Iterable

import numpy as np

from sgan_tf.errors import UserError

LEAST_SAMPLES = 40  # a tenth of them must have a distribution, and each needs three neighbors

LEAST_OF_CLASS = 10  # images of a class, below which the class has no scores

Wrapper = Callable[[Iterable], Iterable]  # passes an iterable through and shows its progress
ProgressBars = Callable[[str], Wrapper]  # from the name of the work to its wrapper


class EvaluationError(UserError):
    """A run cannot be measured; the message says why."""


class Unmeasurable(EvaluationError):
    """A score cannot be measured on these images; the message says what it needs."""


def unseen(blocks: Iterable) -> Iterable:
    """Returns an iterable as it is: the wrapper that shows nothing."""
    return blocks


def silent(what: str) -> Wrapper:
    """Returns a wrapper that shows nothing: the `ProgressBars` without bars."""
    return unseen


def check_rows(least: int, *arrays: np.ndarray) -> None:
    """Checks that arrays have enough rows.

    Args:
        least: Integer. The least number of rows.
        *arrays: `np.ndarray` `[N, ...]`. The arrays, with one row per image.

    Raises:
        Unmeasurable: when an array has fewer rows.
    """
    fewest = min(map(len, arrays))
    if fewest < least:
        raise Unmeasurable(f"needs at least {least} images of each kind, and there are {fewest}")


def check_samples(samples: int, num_classes: int) -> None:
    """Checks that there are enough samples for an evaluation.

    Args:
        samples: Integer. The number of samples.
        num_classes: Integer. The number of classes.

    Raises:
        EvaluationError: when there are too few samples.
    """
    least = max(LEAST_SAMPLES, num_classes)
    if samples < least:
        raise EvaluationError(
            f"`samples`: {samples} are too few for {num_classes} classes; at least {least} are "
            "needed"
        )
