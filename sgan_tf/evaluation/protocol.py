"""How an evaluation names and checks its number of samples."""

from sgan_tf.errors import UserError

LEAST_SAMPLES = 40  # a tenth of them must have a distribution, and each needs three neighbours


class EvaluationError(UserError):
    """A run that cannot be measured; the message says why."""


def short(count):
    """Returns a count as the names of the scores have it: 50000 is `50k`, 1234 is `1234`."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def check_samples(samples, num_classes):
    """Raises `EvaluationError` when so few samples cannot be measured."""
    least = max(LEAST_SAMPLES, num_classes)
    if samples < least:
        raise EvaluationError(
            f"--samples: {samples} are too few for {num_classes} classes; at least {least} are needed"
        )
