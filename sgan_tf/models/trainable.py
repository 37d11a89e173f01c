"""`TrainedModel`: what encoder, level and stack have in common for whoever trains them."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from sgan_tf.typing import Tensor


class TrainedModel(keras.Model):
    """A Keras model that is trained by updates which say what they measured.

    `fit` and `evaluate` average the numbers over an epoch; a loop of one's own calls
    `distributed_update`. Subclasses give:

    * `reported`: names of the numbers
    * `update(x, y)`: one update on a replica's share of a batch, in replica context; returns
      float32 `[len(reported)]`, means over that share
    * `measure(x, y)`: the same numbers without an update
    * `networks()`: `{group: variables}`, what a checkpoint holds of the networks
    * `optimizers()`: `{name: optimizer}` of the compiled model, by their names in `compile`

    Args:
        reported: The names.
    """

    def __init__(self, reported: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reported = list(reported)
        self.trackers = [keras.metrics.Mean(name=name) for name in self.reported]
        self.built = True

    @property
    def metrics(self) -> list[keras.Metric]:
        return list(self.trackers)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._averaged(self.update(x, y))

    def test_step(self, data: Any) -> dict[str, Tensor]:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self._averaged(self.measure(x, y))

    def distributed_update(self, x: Any, y: Any) -> tf.Tensor:
        """One update on all replicas of the model's strategy; to be called outside of its `run`.

        Args:
            x, y: A batch as the strategy distributes it.

        Returns:
            float32 `[len(reported)]`, means over the global batch.
        """
        return self._reduced(self.update, x, y)

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {name: serialize(optimizer) for name, optimizer in self.optimizers().items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**{name: deserialized(optimizer) for name, optimizer in config.items()})

    def state(self) -> dict[str, list[keras.Variable]]:
        """Returns `{group: variables}`: all that training changes, of the compiled model."""
        optimizers = {name: o.variables for name, o in self.optimizers().items()}
        return {**self.networks(), **optimizers}

    # AutoGraph, which finds nothing to convert in an update, would take longer than all the rest of
    # tracing.
    @tf.autograph.experimental.do_not_convert
    def _reduced(self, function, x, y):
        strategy = self.distribute_strategy
        values = strategy.run(function, (x, y))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)

    def _averaged(self, values):
        for tracker, value in zip(self.trackers, tf.unstack(values, len(self.reported))):
            tracker.update_state(value)
        return self.get_metrics_result()

    def _numbers(self, report):
        """`{name: scalar}` as a vector, 0 where a name is missing."""
        return tf.stack([tf.cast(report.get(name, 0.0), tf.float32) for name in self.reported])


def deserialized(config: dict[str, Any]) -> Any:
    """Returns the object of a serialised Keras object; Keras itself changes what it is given."""
    return keras.saving.deserialize_keras_object(copy.deepcopy(config))


def apply_gradients(
    optimizer: keras.Optimizer,
    objective: tf.Tensor,
    tape: tf.GradientTape,
    variables: Sequence[keras.Variable],
) -> None:
    """Updates those of the variables that an objective, a mean over a replica's rows, reaches.

    Args:
        optimizer: A Keras optimizer that was built for the variables.
        objective: Scalar computed on the tape, divided by the number of replicas already: gradients
            are summed over them.
        tape: A `tf.GradientTape` that watched the variables' values.
        variables: Keras variables.
    """
    gradients = tape.gradient(objective, [v.value for v in variables])
    pairs = [(g, v) for g, v in zip(gradients, variables) if g is not None]
    optimizer.apply([g for g, _ in pairs], [v for _, v in pairs])
