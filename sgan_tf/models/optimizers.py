"""The optimizers of D and G: Adam as in the authors' code, and its learning rate schedule."""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from sgan_tf.config.schema import OptimizerConfig
from sgan_tf.typing import Tensor


def adam(
    name: str, learning_rate: float | LearningRateSchedule = 1e-4, beta_1: float = 0.5
) -> keras.optimizers.Adam:
    """Returns Adam with the beta_2 and epsilon of the authors' code.

    Args:
        name: String. The name of the optimizer.
        learning_rate: Float or learning rate schedule. Defaults to 1e-4.
        beta_1: Float. Defaults to 0.5.
    """
    return keras.optimizers.Adam(learning_rate, beta_1, beta_2=0.999, epsilon=1e-8, name=name)


def optimizer_pair(settings: OptimizerConfig, steps: int = 0) -> dict[str, keras.Optimizer]:
    """Returns the Adam optimizers of D and G.

    Args:
        settings: `OptimizerConfig`. Their settings.
        steps: Integer. The number of steps of the stage, over which the learning rate decays.
            Defaults to 0, which is allowed for a constant learning rate.

    Returns:
        Dictionary `{name: optimizer}`, with the names of the arguments of `compile`.
    """

    def rate(updates):
        if settings.decay_from == 1:
            return settings.learning_rate
        return ConstantThenLinear(settings.learning_rate, settings.decay_from, updates)

    updates = {"discriminator": steps, "generator": steps * settings.generator_steps}
    return {
        f"{side}_optimizer": adam(f"{side}_adam", rate(count), settings.beta_1)
        for side, count in updates.items()
    }


@keras.saving.register_keras_serializable("sgan_tf")
class ConstantThenLinear(LearningRateSchedule):
    """A learning rate that is constant at first and then falls linearly to 0.

    Args:
        rate: Float. The constant learning rate.
        start: Float. The share of the updates after which the rate falls, in [0, 1).
        updates: Integer. The number of updates, after which the rate is 0.

    Example:

    >>> [round(float(ConstantThenLinear(1.0, 0.5, 100)(t)), 2) for t in (0, 50, 75, 100)]
    [1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, rate: float, start: float, updates: int) -> None:
        self.rate, self.start, self.updates = rate, start, updates

    def __call__(self, step: int | Tensor) -> Tensor:
        left = 1 - keras.ops.cast(step, "float32") / self.updates
        return self.rate * keras.ops.clip(left / (1 - self.start), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "start": self.start, "updates": self.updates}
