"""`AdversarialModel`: what one level trained alone and the whole stack trained jointly share."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from sgan_tf.models.layers.replicas import SeedGenerator
from sgan_tf.models.layers.spectral import spectral_layers
from sgan_tf.models.losses import adaptive_generator_steps
from sgan_tf.models.trainable import TrainedModel, apply_gradients
from sgan_tf.typing import Tensor

# An objective, a scalar, and what it is made of, `{name: scalar}`.
Objective: TypeAlias = tuple[Tensor, dict[str, Tensor]]


class AdversarialModel(TrainedModel):
    """Alternates one discriminator update with one or more generator updates, on any replicas.

    Subclasses give the two objectives and the variables that each of them trains:

    * `batch(x, y)`: what the objectives take of a batch of `fit`
    * `discriminator_objective(batch, seed, training)` and
      `generator_objective(batch, seed, training)`: `(objective, {name: scalar})`
    * `discriminator_variables()`, `generator_variables()`; when the first is empty no discriminator
      is trained
    * `discriminators()`, whose spectral norms are estimated anew before each of their updates
    * `averages()`: `[(variable of an averaged generator, variable of the trained one, decay), …]`
    * `watched(numbers)`: the loss that the adaptive schedule follows, out of `[len(reported)]`

    Objectives are means over the replica's share of the batch. All noise of training is a function
    of (noise_seed, the optimizer's iterations), so a restored model continues with the noise it
    would have had.

    Args:
        reported: Names of the scalars of both objectives.
        generator_steps: Generator updates for each discriminator update, each with new noise.
        adaptive_steps: Choose 1 to 7 of them by the discriminator's loss instead
            (`losses.adaptive_generator_steps`).
        noise_seed: Integer.
    """

    def __init__(
        self,
        reported: Iterable[str],
        generator_steps: int = 1,
        adaptive_steps: bool = False,
        noise_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(reported, **kwargs)
        self.generator_steps, self.adaptive_steps = generator_steps, adaptive_steps
        self.noise_seed = noise_seed
        self.seed_generator = SeedGenerator(noise_seed)  # of `call`, which samples
        self.discriminator_optimizer: Any = None
        self.generator_optimizer: Any = None

    def compile(
        self,
        discriminator_optimizer: keras.Optimizer | None = None,
        generator_optimizer: keras.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets one optimizer for D and Q and one for G (by default Adams), and makes their slots.

        Args:
            discriminator_optimizer, generator_optimizer: Keras optimizers.
            kwargs: As in Keras, `steps_per_execution` and `run_eagerly` for instance. The adaptive
                schedule ignores `jit_compile`: XLA cannot compile its loop.
        """
        # An optimizer given to Keras itself would make slots for the weights of all networks, and
        # XLA is several times slower on CPUs.
        super().compile(optimizer=None, **{"jit_compile": False, **kwargs})
        self.discriminator_optimizer = discriminator_optimizer or adam("discriminator_adam")
        self.generator_optimizer = generator_optimizer or adam("generator_adam")
        self.discriminator_optimizer.build(self.discriminator_variables())
        self.generator_optimizer.build(self.generator_variables())

    def optimizers(self) -> dict[str, keras.Optimizer]:
        return {
            "discriminator_optimizer": self.discriminator_optimizer,
            "generator_optimizer": self.generator_optimizer,
        }

    # One training step

    def update(self, x: Any, y: Any) -> tf.Tensor:
        """One discriminator update and `generator_steps` generator updates, in replica context."""
        batch = self.batch(x, y)
        numbers = self.discriminator_step(batch)
        for _ in range(self.generator_steps):
            numbers += self.generator_step(batch) / self.generator_steps
        return numbers

    def discriminator_step(self, batch: Any) -> tf.Tensor:
        """Updates D and Q once; returns the numbers of their objective."""
        variables = self.discriminator_variables()
        if not variables:
            return self._numbers({})
        for network in self.discriminators():
            for layer in spectral_layers(network):
                layer.iterate()
        optimizer = self.discriminator_optimizer
        return self._step(self.discriminator_objective, batch, 0, variables, optimizer)

    def generator_step(self, batch: Any) -> tf.Tensor:
        """Updates G once, with new noise, and its average; returns the numbers of its objective."""
        variables, optimizer = self.generator_variables(), self.generator_optimizer
        numbers = self._step(self.generator_objective, batch, 1, variables, optimizer)
        self._average(optimizer.iterations)
        return numbers

    def _average(self, updates):
        """`average <- d average + (1 - d) weights`, with d at most (1 + t) / (10 + t)."""
        averages = self.averages()
        if not averages:
            return
        t = tf.cast(updates, tf.float32)

        def assign(average, value, decay):
            average.assign(average * decay + value * (1 - decay))

        def across_replicas(strategy):
            for average, trained, most in averages:
                decay = tf.minimum(most, (1 + t) / (10 + t))
                strategy.extended.update(average.value, assign, (trained.value, decay))

        tf.distribute.get_replica_context().merge_call(across_replicas)

    def _step(self, objective_of, batch, kind, variables, optimizer):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            objective, report = objective_of(batch, self._seed(kind, optimizer), training=True)
            # Keras sums gradients over the replicas.
            objective /= tf.distribute.get_strategy().num_replicas_in_sync
        apply_gradients(optimizer, objective, tape, variables)
        return self._numbers(report)

    def measure(self, x: Any, y: Any) -> tf.Tensor:
        batch, seed = self.batch(x, y), tf.constant([self.noise_seed, 2], tf.int32)
        _, report = self.discriminator_objective(batch, seed, training=False)
        return self._numbers(report | self.generator_objective(batch, seed, training=False)[1])

    # The adaptive schedule. No optimizer may be applied inside a loop in replica context, so the
    # loop stands outside of it.

    @property
    def adaptive(self) -> bool:
        """The number of generator steps follows D's loss."""
        return self.adaptive_steps and bool(self.discriminator_variables())

    def distributed_update(self, x: Any, y: Any) -> tf.Tensor:
        if not self.adaptive:
            return super().distributed_update(x, y)
        numbers = self._reduced(lambda x, y: self.discriminator_step(self.batch(x, y)), x, y)
        steps = adaptive_generator_steps(self.watched(numbers))
        total = tf.zeros_like(numbers)
        for _ in tf.range(steps):
            total += self._reduced(lambda x, y: self.generator_step(self.batch(x, y)), x, y)
        return numbers + total / tf.cast(steps, tf.float32)

    def make_train_function(self, force: bool = False) -> Callable:
        if not self.adaptive:
            return super().make_train_function(force)
        if self.train_function is not None and not force:
            return self.train_function
        strategy = self.distribute_strategy

        def adaptive_step(data):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            numbers = self.distributed_update(x, y)
            strategy.run(self._averaged, (numbers,))
            return self.get_metrics_result()

        if not self.run_eagerly:
            adaptive_step = tf.function(adaptive_step)

        def train_function(iterator):
            logs = adaptive_step(next(iterator))  # which ends an epoch where nothing is left
            for data in itertools.islice(iterator, self.steps_per_execution - 1):
                logs = adaptive_step(data)
            return logs

        self.train_function: Callable = train_function
        return self.train_function

    def _seed(self, kind, optimizer):
        seed = tf.constant([self.noise_seed, kind], tf.int32)
        return tf.random.experimental.stateless_fold_in(
            seed, tf.cast(optimizer.iterations, tf.int32)
        )


def adam(
    name: str,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-4,
    beta_1: float = 0.5,
) -> keras.optimizers.Adam:
    """Returns the release's Adam; learning rate and beta_1 as asked for."""
    return keras.optimizers.Adam(learning_rate, beta_1, beta_2=0.999, epsilon=1e-8, name=name)


def optimizer_pair(settings: Any, steps: int = 0) -> dict[str, keras.Optimizer]:
    """Returns the Adams of D and G, `{name: optimizer}`.

    Args:
        settings: A `LevelConfig` or `JointConfig`.
        steps: Steps of the stage, over which a learning rate decays; not needed for one that stays.
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
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant at first and then falls to 0 along a line.

    Args:
        rate: The constant.
        start: Share of the updates after which it falls, in [0, 1).
        updates: Their number; from then on the rate is 0.

    Example:

    >>> [round(float(ConstantThenLinear(1.0, 0.5, 100)(t)), 2) for t in (0, 50, 75, 100)]
    [1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, rate: float, start: float, updates: int) -> None:
        self.rate, self.start, self.updates = rate, start, updates

    def __call__(self, step: Any) -> Tensor:
        left = 1 - keras.ops.cast(step, "float32") / self.updates
        return self.rate * keras.ops.clip(left / (1 - self.start), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "start": self.start, "updates": self.updates}


def draw_uniform(seed: tf.Tensor, count: int | tf.Tensor, z_dim: int) -> tf.Tensor:
    """Draws what this replica's rows of the global batch's noise are made of, uniform on [0, 1).

    Every replica draws the whole and keeps its share: a step on several replicas then sees the very
    noise of the same step on one.

    Args:
        seed: Integer tensor `[2]`.
        count: Rows on this replica.
        z_dim: Columns.

    Returns:
        float32 `[count, z_dim]`.
    """
    context = tf.distribute.get_replica_context()
    z = tf.random.stateless_uniform([count * context.num_replicas_in_sync, z_dim], seed)
    start = context.replica_id_in_sync_group * count
    return z[start : start + count]
