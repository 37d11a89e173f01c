"""`AdversarialModel`: what one level trained alone and the whole stack trained jointly have in common."""

import keras
import tensorflow as tf

from sgan_tf.models.losses import adaptive_generator_steps


class AdversarialModel(keras.Model):
    """Alternates one discriminator update with one or more generator updates, on any number of replicas.

    Subclasses give the two objectives and the variables that each of them trains:

    * `discriminator_objective(data, seed)` -> `(objective, loss)`, where `loss` is what the adaptive schedule watches
    * `generator_objective(data, seed)` -> `objective`
    * `networks()` -> `{group: variables}`, what a checkpoint holds of the model itself
    * `discriminator_variables()`, `generator_variables()`; when the first is empty no discriminator is trained.

    Objectives are means over the replica's share of the batch. All noise is a function of (noise_seed, the
    optimizer's iterations), so a restored model continues with the noise it would have had.

    Args:
        generator_steps: Generator updates for each discriminator update, each with new noise.
        adaptive_steps: Choose 1 to 7 of them by the discriminator's loss instead
            (`losses.adaptive_generator_steps`).
        noise_seed: Integer.
    """

    def __init__(self, generator_steps=1, adaptive_steps=False, noise_seed=0, **kwargs):
        super().__init__(**kwargs)
        self.generator_steps, self.adaptive_steps, self.noise_seed = (
            generator_steps,
            adaptive_steps,
            noise_seed,
        )
        self.discriminator_optimizer = self.generator_optimizer = None
        self.built = True

    def compile(self, discriminator_optimizer, generator_optimizer):
        """Sets one optimizer for D and Q and one for G, and makes their slots."""
        # An optimizer given to Keras itself would make slots for the weights of all networks.
        super().compile(optimizer=None, jit_compile=False)  # XLA is several times slower on CPUs
        self.discriminator_optimizer, self.generator_optimizer = (
            discriminator_optimizer,
            generator_optimizer,
        )
        discriminator_optimizer.build(self.discriminator_variables())
        generator_optimizer.build(self.generator_variables())

    def train_step(self, data):
        """One discriminator update and `generator_steps` generator updates, in replica context."""
        if self.discriminator_variables():
            self.discriminator_step(data)
        for _ in range(self.generator_steps):
            self.generator_step(data)
        return self.get_metrics_result()

    def discriminator_step(self, data):
        """Updates D and Q once; returns the loss that the adaptive schedule watches."""
        seed = self._seed(0, self.discriminator_optimizer)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            variables = self.discriminator_variables()
            tape.watch([v.value for v in variables])
            objective, loss = self.discriminator_objective(data, seed)
            # Keras sums gradients over the replicas.
            objective /= tf.distribute.get_strategy().num_replicas_in_sync
        self.discriminator_optimizer.apply(
            tape.gradient(objective, [v.value for v in variables]), variables
        )
        return loss

    def generator_step(self, data):
        """Updates G once, with new noise."""
        seed = self._seed(1, self.generator_optimizer)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            variables = self.generator_variables()
            tape.watch([v.value for v in variables])
            objective = (
                self.generator_objective(data, seed)
                / tf.distribute.get_strategy().num_replicas_in_sync
            )
        self.generator_optimizer.apply(
            tape.gradient(objective, [v.value for v in variables]), variables
        )

    def make_train_function(self, force=False):
        if not (self.adaptive_steps and self.discriminator_variables()):
            return super().make_train_function(force)
        if self.train_function is not None and not force:
            return self.train_function

        strategy = self.distribute_strategy

        # No optimizer may be applied inside a loop in replica context, so the loop stands outside of it.
        @tf.function
        def adaptive_step(data):
            losses = strategy.run(self.discriminator_step, (data,))
            loss = strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)
            for _ in tf.range(adaptive_generator_steps(loss)):
                strategy.run(self.generator_step, (data,))
            return self.get_metrics_result()

        self.train_function = lambda iterator: adaptive_step(next(iterator))
        return self.train_function

    def _seed(self, step_kind, optimizer):
        seed = tf.constant([self.noise_seed, step_kind], tf.int32)
        return tf.random.experimental.stateless_fold_in(
            seed, tf.cast(optimizer.iterations, tf.int32)
        )

    def state(self):
        """Returns `{group: variables}`: all that training changes, for checkpoints of the compiled model."""
        return {
            **self.networks(),
            "discriminator_optimizer": self.discriminator_optimizer.variables,
            "generator_optimizer": self.generator_optimizer.variables,
            "metrics": [v for m in self.metrics for v in m.variables],
        }


def optimizer_pair(settings):
    """Returns the two Adams `(discriminator's, generator's)` of a `LevelConfig` or `JointConfig`."""
    return tuple(
        keras.optimizers.Adam(
            settings.learning_rate, beta_1=settings.beta_1, beta_2=0.999, epsilon=1e-8, name=name
        )
        for name in ("discriminator_adam", "generator_adam")
    )


def draw_noise(seed, count, z_dim):
    """Draws this replica's rows of the global batch's noise, uniform on [0, 1).

    Every replica draws the whole and keeps its share: a step on several replicas then sees the very noise of
    the same step on one.

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
