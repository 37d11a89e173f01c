"""Operations that change gradients in the backward pass."""

from keras import ops

from sgan_tf.typing import Tensor


def scale_gradient(x: Tensor, weight: float) -> Tensor:
    """Returns `x` unchanged, and multiplies the gradient that flows back through it by `weight`."""
    if weight == 1:
        return x
    frozen = ops.stop_gradient(x)
    return frozen if weight == 0 else frozen + weight * (x - frozen)
