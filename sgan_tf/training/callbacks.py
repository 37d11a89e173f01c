"""What happens during training beside training: checkpoints, logs, sample grids, the watch on collapse."""

import logging
import sys
import time

import keras
import numpy as np

from sgan_tf.images import image_grid
from sgan_tf.spread import conditional_spread, spread

log = logging.getLogger("sgan_tf")
COLLAPSED = (
    0.05  # conditional spread, in units of the real spread, below which a level ignores its noise
)


class Interrupted(Exception):
    """Training was asked to stop, and has saved its state."""


class TrainingDiverged(Exception):
    """A loss or a weight is not finite; the message names stage and step."""


class Checkpoint(keras.callbacks.Callback):
    """Saves a stage at the end of each epoch and every few minutes, and stops it when told to, or when it diverges.

    Args:
        run: The `Run`.
        stage: Its name.
        steps: Steps an epoch.
        epochs: Epochs of the stage.
        start_step: The step that training starts from.
        metrics: Arrays to assign to the model's metrics when it starts in mid-epoch.
        minutes: Between two checkpoints, at the most.
        stop: A function that tells whether to stop.
    """

    def __init__(self, run, stage, steps, epochs, start_step, metrics, minutes, stop):
        super().__init__()
        self.run, self.stage, self.steps, self.epochs = run, stage, steps, epochs
        self.step, self.minutes, self.stop = start_step, minutes, stop
        self.restored = metrics if start_step % steps else None
        self.saved_at = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        if self.restored is not None:  # Keras has just reset them
            variables = self.model.state()["metrics"]
            for variable, value in zip(variables, self.restored):
                variable.assign(value)
            self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        bad = [name for name, value in logs.items() if not np.isfinite(float(value))]
        if bad:
            raise TrainingDiverged(
                f"{self.stage}: {bad[0]} is not finite at step {self.step}; {self._last_good()}"
            )
        if self.step % self.steps == 0:
            return  # the end of the epoch saves, after its metrics are written
        stop = self.stop()
        if stop or time.monotonic() - self.saved_at > 60 * self.minutes:
            self._save()
        if stop:
            raise Interrupted(f"stopped in {self.stage} at step {self.step}")

    def on_epoch_end(self, epoch, logs=None):
        self._save()
        if self.stop() and self.step < self.steps * self.epochs:
            raise Interrupted(f"stopped in {self.stage} after epoch {epoch + 1}")

    def _save(self):
        try:
            self.run.save(
                self.stage, self.model.state(), self.step, self.step >= self.steps * self.epochs
            )
        except FloatingPointError as error:
            raise TrainingDiverged(
                f"{self.stage}: {error} at step {self.step}; {self._last_good()}"
            ) from error
        self.saved_at = time.monotonic()

    def _last_good(self):
        step = self.run.progress(self.stage)[0]
        return (
            f"the checkpoint of step {step} is kept"
            if step
            else "there is no checkpoint of this stage yet"
        ) + "; a lower learning rate may help"


class EpochLog(keras.callbacks.Callback):
    """Writes an epoch's means to metrics.jsonl, to TensorBoard and to the log."""

    def __init__(self, run, stage, steps, epochs):
        super().__init__()
        self.run, self.stage, self.steps, self.epochs = run, stage, steps, epochs

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        self.writer = tf.summary.create_file_writer(str(self.run.path / "tensorboard" / self.stage))

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        values = {name: round(float(value), 6) for name, value in sorted(logs.items())}
        seconds = round(time.monotonic() - self.started, 1)
        self.run.append_metrics(
            {
                "stage": self.stage,
                "epoch": epoch + 1,
                "step": (epoch + 1) * self.steps,
                **values,
                "seconds": seconds,
            }
        )
        with self.writer.as_default(step=epoch + 1):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()
        log.info(
            "%s epoch %d/%d (%.1f s): %s",
            self.stage,
            epoch + 1,
            self.epochs,
            seconds,
            ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
        )

    def on_train_end(self, logs=None):
        self.writer.close()


class Progress(keras.callbacks.Callback):
    """A progress bar with the losses, on a terminal; elsewhere the log's line an epoch is enough."""

    def __init__(self, stage, steps, epochs, start_step):
        super().__init__()
        self.stage, self.steps, self.epochs, self.offset = stage, steps, epochs, start_step % steps

    def on_epoch_begin(self, epoch, logs=None):
        self.bar = (
            keras.utils.Progbar(self.steps, stateful_metrics=None) if sys.stdout.isatty() else None
        )
        if self.bar:
            print(f"{self.stage} epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        if self.bar:
            self.bar.stateful_metrics = set(logs)
            self.bar.update(
                min(self.offset + batch + 1, self.steps),
                [(k, float(v)) for k, v in sorted(logs.items())],
                finalize=False,
            )

    def on_epoch_end(self, epoch, logs=None):
        self.offset = 0
        if self.bar:
            print()


class CollapseMonitor(keras.callbacks.Callback):
    """Adds each level's spread of generated h_i, over that of real h_i, to the epoch's metrics.

    `spread_i` is over everything, `conditional_spread_i` over noise alone, given one condition: what the entropy
    loss is for. Under 0.05 the level ignores its noise, and the log says so.

    Args:
        levels: The `LevelGAN`s in training, bottom up.
        generate: Function of nothing that returns, for each level, float `[conditions, draws, ...]`.
        real_spreads: The spread of real h_i for each level.
    """

    def __init__(self, levels, generate, real_spreads):
        super().__init__()
        self.levels, self.generate, self.real_spreads = levels, generate, real_spreads

    def on_epoch_end(self, epoch, logs=None):
        for level, h, real in zip(self.levels, self.generate(), self.real_spreads):
            conditional = conditional_spread(h) / real
            logs[f"spread_{level.index}"] = spread(h.reshape(-1, *h.shape[2:])) / real
            logs[f"conditional_spread_{level.index}"] = conditional
            if conditional < COLLAPSED:
                log.warning(
                    "level %d has collapsed: for one condition its samples spread %.3f times as widely as real data, so it "
                    "ignores its noise z_%d; if this lasts, raise levels.%d.lambda_ent or lower levels.%d.z_dim",
                    level.index,
                    conditional,
                    level.index,
                    level.index,
                    level.index,
                )


class SampleGrid(keras.callbacks.Callback):
    """Writes `fakes_<stage>_<epoch>.png` from fixed noise, a row a class.

    Args:
        run: The `Run`.
        stage: Its name.
        epochs: Epochs of the stage; the last always gets a grid.
        every: Epochs between two grids; 0 for the last alone.
        draw: Function of nothing that returns the images, row by row.
        class_names: A name a row.
    """

    def __init__(self, run, stage, epochs, every, draw, class_names):
        super().__init__()
        self.run, self.stage, self.epochs, self.every, self.draw, self.class_names = (
            run,
            stage,
            epochs,
            every,
            draw,
            class_names,
        )

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epochs or (self.every and (epoch + 1) % self.every == 0):
            images = self.draw()
            picture = image_grid(images, len(images) // len(self.class_names), self.class_names)
            self.run.save_png(f"fakes_{self.stage}_{epoch + 1:04d}.png", picture)
