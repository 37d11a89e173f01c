"""What happens to gradients on their way back."""

from keras import ops

from sgan_tf.typing import Tensor


def scale_gradient(x: Tensor, weight: float) -> Tensor:
    """Returns `x` itself, through which gradients flow back multiplied by `weight`."""
    if weight == 1:
        return x
    frozen = ops.stop_gradient(x)
    return frozen if weight == 0 else frozen + weight * (x - frozen)
