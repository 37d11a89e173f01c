"""`TrainedModel`: the training interface that encoder, level and stack share."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from sgan_tf.typing import Tensor


class TrainedModel(keras.Model):
    """A Keras model whose updates return measured numbers.

    `fit` and `evaluate` average these numbers over an epoch. Your own training loop calls
    `distributed_update`. Subclasses define:

    * `update(x, y)`, which runs one update on a replica's share of a batch, in replica context, and
      returns float32 `[len(reported)]`, means over that share
    * `measure(x, y)`, which returns the same numbers without an update
    * `networks()`, which returns `{group: variables}`, the part of a checkpoint that holds networks
    * `optimizers()`, which returns `{name: optimizer}` of the compiled model, under their names in
      `compile`

    Args:
        reported: List of strings. Names of the measured numbers.
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
        """Runs one update on all replicas of the model's strategy; call it outside of its `run`.

        Args:
            x: Inputs of a batch, as the strategy distributes them.
            y: Labels of the batch, as the strategy distributes them.

        Returns:
            float32 tensor `[len(reported)]`. Means over the global batch.
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
        """Returns `{group: variables}`: all variables of the compiled model's training state."""
        optimizers = {name: o.variables for name, o in self.optimizers().items()}
        return {**self.networks(), **optimizers}

    # AutoGraph finds nothing to convert in an update, but takes longer than the rest of tracing.
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
        """Converts `{name: scalar}` to a vector, with 0 where a name is missing."""
        return tf.stack([tf.cast(report.get(name, 0.0), tf.float32) for name in self.reported])


def deserialized(config: dict[str, Any]) -> Any:
    """Deserializes a Keras object from a copy of its config, as Keras modifies its argument."""
    return keras.saving.deserialize_keras_object(copy.deepcopy(config))


def apply_gradients(
    optimizer: keras.Optimizer,
    objective: tf.Tensor,
    tape: tf.GradientTape,
    variables: Sequence[keras.Variable],
) -> None:
    """Updates the variables that an objective depends on.

    Args:
        optimizer: Keras optimizer. It must be built for the variables.
        objective: Scalar tensor. A mean over a replica's rows, computed on the tape and already
            divided by the number of replicas, because gradients are summed over them.
        tape: `tf.GradientTape`. It watched the variables' values.
        variables: List of Keras variables.
    """
    gradients = tape.gradient(objective, [v.value for v in variables])
    pairs = [(g, v) for g, v in zip(gradients, variables) if g is not None]
    optimizer.apply([g for g, _ in pairs], [v for _, v in pairs])
