"""Whether gradients pass a classifier: a generator below a stage learns from nothing else."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from sgan_tf.models.encoder.classifier_graph import ClassifierError
from sgan_tf.models.keras_internals import run_operations
from sgan_tf.typing import Tensor


def check_gradients(stages: Sequence[keras.Model], images: Tensor) -> None:
    """Checks that gradients flow back through every stage, and that they are finite.

    L_cond, Eq. (6), teaches a generator through the stage above what it generates. An operation
    that rounds its input, or casts it to integers, has no gradient, and L_cond then teaches
    nothing without any other sign of it.

    Args:
        stages: List of functional Keras models, bottom up.
        images: float32 tensor `[N, H, W, C]` in [0, 1].

    Raises:
        ClassifierError: If no gradient reaches a stage's input, or one that is not finite. The
            message names the operation.
    """
    h = images
    for stage in stages:
        with tf.GradientTape() as tape:
            tape.watch(h)
            output = stage(h, training=False)
        if reason := _fault(tape, output, h):
            raise ClassifierError(
                f"{reason} through {_faulty(stage, h)}, so that nothing below it can be inverted; "
                "cut the classifier above it, or use a differentiable operation instead"
            )
        h = output


def _fault(tape, output, h):
    """Returns what is wrong with the gradient of an output, as words before "through"."""
    direction = tf.random.stateless_normal(tf.shape(output), [0, 0])  # a sum may be constant
    gradient = None
    if output.dtype.is_floating:
        gradient = tape.gradient(output, h, direction)
    if gradient is None or not tf.reduce_any(gradient != 0):
        return "no gradient flows"
    return None if tf.reduce_all(tf.math.is_finite(gradient)) else "gradients are not finite"


def _faulty(stage, h):
    """Returns the name of the first operation of a stage that the fault is found at."""
    outputs = []

    def call(operation, *args, **kwargs):
        if isinstance(operation, keras.Model) and len(args) == 1:
            return run_operations(operation, args[0], call)
        output = operation(*args, **kwargs)
        outputs.append((operation.name, output))
        return output

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(h)
        run_operations(stage, h, call)
    names = [name for name, output in outputs if _fault(tape, output, h)]
    return names[0] if names else stage.name
