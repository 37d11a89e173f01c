"""`AdversarialModel`: the base of one level trained alone and of the stack trained jointly."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from sgan_tf.models.layers.replicas import SeedGenerator
from sgan_tf.models.layers.spectral import spectral_layers
from sgan_tf.models.losses import adaptive_generator_steps
from sgan_tf.models.noise import step_seed
from sgan_tf.models.optimizers import adam
from sgan_tf.models.trainable import TrainedModel, apply_gradients
from sgan_tf.typing import Tensor

# An objective, a scalar, and its terms, `{name: scalar}`.
Objective: TypeAlias = tuple[Tensor, dict[str, Tensor]]


class AdversarialModel(TrainedModel):
    """Alternates one discriminator update with one or more generator updates, on any replicas.

    Subclasses define the two objectives and the variables that each of them trains:

    * `batch(x, y)` returns what the objectives take, from a batch of `fit`
    * `discriminator_objective(batch, seed, training)` and
      `generator_objective(batch, seed, training)` return `(objective, {name: scalar})`
    * `discriminator_variables()` and `generator_variables()` return the trained variables; if the
      first list is empty, no discriminator is trained
    * `discriminators()` returns the models whose spectral norms are updated before each of their
      updates
    * `averages()` returns `[(averaged variable, trained variable, decay), …]` of the generators
    * `watched(numbers)` returns the loss that the adaptive schedule follows, from the vector
      `[len(reported)]` of measured numbers

    Objectives are means over the replica's share of the batch. All noise of training is a function
    of (noise_seed, the optimizer's iterations), so a restored model continues with the noise that
    the original would have drawn.

    Args:
        reported: List of strings. Names of the scalars of both objectives.
        generator_steps: Integer. Generator updates per discriminator update, each with new noise.
            Defaults to 1.
        adaptive_steps: Boolean. Whether the discriminator's loss sets this number to 1, 3, 5 or 7
            instead (`losses.adaptive_generator_steps`). Defaults to False.
        noise_seed: Integer. Seed of all noise of training. Defaults to 0.
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
        self.seed_generator = SeedGenerator(noise_seed)  # for `call`, which samples
        self.discriminator_optimizer: Any = None
        self.generator_optimizer: Any = None

    def compile(
        self,
        discriminator_optimizer: keras.Optimizer | None = None,
        generator_optimizer: keras.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets one optimizer for D and Q and one for G, and creates their slots.

        Args:
            discriminator_optimizer: Keras optimizer of D and Q. Defaults to Adam.
            generator_optimizer: Keras optimizer of G. Defaults to Adam.
            kwargs: Keyword arguments of `keras.Model.compile`, such as `steps_per_execution` and
                `run_eagerly`. The adaptive schedule ignores `jit_compile`, as XLA cannot compile
                its loop.
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
        """Updates D once and G `generator_steps` times, in replica context."""
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
            objective, report = objective_of(
                batch, step_seed(self.noise_seed, kind, optimizer.iterations), training=True
            )
            # Keras sums gradients over the replicas.
            objective /= tf.distribute.get_strategy().num_replicas_in_sync
        apply_gradients(optimizer, objective, tape, variables)
        return self._numbers(report)

    def measure(self, x: Any, y: Any) -> tf.Tensor:
        batch, seed = self.batch(x, y), tf.constant([self.noise_seed, 2], tf.int32)
        _, report = self.discriminator_objective(batch, seed, training=False)
        return self._numbers(report | self.generator_objective(batch, seed, training=False)[1])

    # The adaptive schedule. An optimizer cannot be applied inside a loop in replica context, so the
    # loop runs outside of it.

    @property
    def adaptive(self) -> bool:
        """Whether the number of generator steps follows D's loss."""
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
            logs = adaptive_step(next(iterator))  # an exhausted iterator ends the epoch here
            for data in itertools.islice(iterator, self.steps_per_execution - 1):
                logs = adaptive_step(data)
            return logs

        self.train_function: Callable = train_function
        return self.train_function
