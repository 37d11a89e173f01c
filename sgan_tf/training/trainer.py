"""`Trainer`: the one training loop for one device, several devices and several machines.

A call of the compiled function takes as many steps as fit into a second, and their measurements are
fetched once at its end. Between two calls, the loop saves, stops and shows the progress.
"""

import contextlib
import logging
import time

import numpy as np
import tensorflow as tf

from sgan_tf.data.batches import Share, batches, steps_per_epoch
from sgan_tf.models.trainable import TrainedModel
from sgan_tf.runs.run import Run
from sgan_tf.training.callbacks import EpochLog, ProgressLogger
from sgan_tf.training.options import TrainingOptions
from sgan_tf.training.stages import Stage
from sgan_tf.training.workers import Workers

log = logging.getLogger("sgan_tf")
CALL_SECONDS = 1.0  # target time per call: between two checks of the clock and of signals
MOST_STEPS = 1000  # per call


class Interrupted(Exception):
    """Training was asked to stop, and has saved its state."""


class TrainingDiverged(Exception):
    """A loss or a weight is not finite; the message names stage and step."""


class Trainer:
    """Trains stages, each from its checkpoint if it has one.

    Args:
        run: `Run`. The opened run.
        batch_size: Integer. The global batch size, which is divided among the replicas.
        options: `TrainingOptions`. Defaults to `TrainingOptions()`.
    """

    def __init__(self, run: Run, batch_size: int, options: TrainingOptions | None = None) -> None:
        self.run, self.batch_size, self.options = run, batch_size, options or TrainingOptions()
        self.strategy = self.options.strategy
        self.workers = Workers(self.strategy)

    def train(self, stage: Stage, model: TrainedModel) -> None:
        """Trains to the end of the stage's epochs, bit for bit as if it had never been stopped.

        Args:
            stage: `Stage`. The stage that is trained.
            model: `TrainedModel`. What `stage.prepare()` returned.

        Raises:
            Interrupted: when the option `stop` returned True.
            TrainingDiverged: when a loss or a weight is not finite.
        """
        arrays, seed = stage.arrays(), stage.material.seed(stage.name)
        stage.adapt(model)
        steps = steps_per_epoch(len(arrays[0]), self.batch_size)
        last = steps * stage.epochs
        checkpoint = self.run.checkpoint(stage.name)
        step, totals = checkpoint.resume(model.state(), len(model.reported))
        if step:
            log.info("%s resumes at step %d of %d", stage.name, step, last)
        else:
            log.info("%s: %d epochs of %d steps", stage.name, stage.epochs, steps)
        if self.run.writes:
            self.run.metrics.forget(stage.name, step)
        progress = ProgressLogger(stage.name, steps, stage.epochs, step)
        callbacks = [
            *stage.callbacks(model, self.options.sample_every),
            EpochLog(self.run, stage.name, steps, stage.epochs),
            progress,
        ]
        loop = _Loop(self, stage, model, checkpoint, steps, step, totals)
        several = self._compile_steps(model)
        data = iter(self._distribute(arrays, seed, step, stage.augmentation()))
        with contextlib.closing(progress):
            for callback in callbacks:
                callback.on_train_begin()
            while loop.step < last:
                if loop.step % steps == 0:
                    loop.totals = np.zeros(len(model.reported))
                if loop.step % steps == 0 or loop.step == step:
                    for callback in callbacks:
                        callback.on_epoch_begin(loop.step // steps)
                loop.add(several, data)
                loop.report(callbacks)
                loop.save_if_due(last)
            for callback in callbacks:
                callback.on_train_end()

    def seconds_per_step(self, stage: Stage, steps: int, warm_up: int = 2) -> float:
        """Measures a stage's steps with an untrained model, and writes nothing.

        Args:
            stage: `Stage`. The stage that is measured.
            steps: Integer. The number of steps that are measured.
            warm_up: Integer. The number of steps before these, which are not counted. Defaults
                to 2.

        Returns:
            Float. The mean seconds per step.
        """
        with self.strategy.scope():
            model = stage.prepare()
        stage.adapt(model)
        several = self._compile_steps(model)
        data = iter(self._distribute(stage.arrays(), 0, 0, stage.augmentation()))
        self._call(several, data, warm_up)
        started = time.perf_counter()
        self._call(several, data, steps)
        return (time.perf_counter() - started) / steps

    def _compile_steps(self, model):
        """Makes the function that runs several steps and returns the measurements of each."""

        @tf.function
        def several(data, count):
            measured = tf.TensorArray(tf.float32, count, element_shape=[len(model.reported)])
            for i in tf.range(count):
                *x, y = next(data)
                numbers = model.distributed_update(x[0] if len(x) == 1 else x, y)
                measured = measured.write(i, numbers)
            return measured.stack()

        return several

    def _call(self, several, data, count):
        with self.strategy.scope():
            return several(data, tf.constant(count)).numpy()

    def _distribute(self, arrays, seed, start_step, augmentation):
        def share(context):
            count = context.num_replicas_in_sync // context.num_input_pipelines
            first = context.input_pipeline_id * count
            return Share(first, count, context.num_replicas_in_sync)

        def dataset(context):
            return batches(
                arrays, self.batch_size, seed, start_step, share=share(context), **augmentation
            )

        return self.strategy.distribute_datasets_from_function(dataset)


class _Loop:
    """The state of a stage's training: the step, the epoch's sums, the clock."""

    def __init__(self, trainer, stage, model, checkpoint, steps, step, totals):
        self.trainer, self.stage, self.model, self.checkpoint = trainer, stage, model, checkpoint
        self.steps, self.step, self.totals = steps, step, totals
        self.saved_at, self.seconds = time.monotonic(), None
        self.stopping = False

    def add(self, several, data):
        """Takes the steps of one call, within the epoch, and adds up their measurements."""
        trainer = self.trainer
        wanted = trainer.workers.gather(self._count(), float(trainer.options.stop()))
        count, self.stopping = int(wanted[0, 0]), bool(wanted[:, 1].any())
        count = min(count, self.steps - self.step % self.steps)
        started = time.monotonic()
        for numbers in trainer._call(several, data, count):
            self.step += 1
            if not np.isfinite(numbers).all():
                name = self.model.reported[int(np.argmin(np.isfinite(numbers)))]
                raise TrainingDiverged(self._divergence_message(f"{name} is not finite"))
            self.totals = self.totals + numbers  # in the steps' order: calls do not change the sum
        if self.seconds is not None or count > 1:  # the first call traces
            self.seconds = (time.monotonic() - started) / count
        else:
            self.seconds = CALL_SECONDS / 2

    def report(self, callbacks):
        """Gives the callbacks the epoch's means so far, and calls them at the epoch's end."""
        epoch, done = divmod(self.step - 1, self.steps)
        means = dict(zip(self.model.reported, self.totals / (done + 1)))
        for callback in callbacks:
            callback.on_train_batch_end(done, means)
        # The checkpoint comes after this: if the process is killed in between, the epoch's end is
        # done again rather than left out.
        for callback in callbacks if done + 1 == self.steps else []:
            callback.on_epoch_end(epoch, means)

    def save_if_due(self, last):
        """Saves at an epoch's end, when the time is up, and when training is to stop."""
        epoch_ends = self.step % self.steps == 0
        due = time.monotonic() - self.saved_at > 60 * self.trainer.options.checkpoint_minutes
        stop = self.stopping or (self.trainer.workers.count == 1 and self.trainer.options.stop())
        if not (epoch_ends or due or stop):
            return
        if self.step >= last:
            self.stage.settle(self.model)
        if self.trainer.run.writes:
            try:
                self.checkpoint.save(
                    self.model.state(),
                    self.step,
                    self.step >= last,
                    self.totals,
                    self.trainer.run.config.to_json(),
                )
            except FloatingPointError as error:
                raise TrainingDiverged(self._divergence_message(str(error))) from error
        self.saved_at = time.monotonic()
        if stop and self.step < last:
            at = f"after epoch {self.step // self.steps}" if epoch_ends else f"at step {self.step}"
            raise Interrupted(f"stopped in {self.stage.name} {at}")

    def _count(self):
        options = self.trainer.options
        if options.steps_per_call:
            return options.steps_per_call
        if self.seconds is None:
            return 1
        left = 60 * options.checkpoint_minutes - (time.monotonic() - self.saved_at)
        return int(np.clip(min(CALL_SECONDS, left) / self.seconds, 1, MOST_STEPS))

    def _divergence_message(self, what):
        step = self.checkpoint.progress().step
        kept = f"the checkpoint of step {step} is kept" if step else "there is no checkpoint yet"
        return (
            f"{self.stage.name}: {what} at step {self.step}; {kept}; a lower learning rate may help"
        )
