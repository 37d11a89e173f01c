"""What happens at the end of an epoch: the metrics' line, and sample grids. Also for `fit`."""

import logging
import time

import keras
import tensorflow as tf

from sgan_tf.images import image_grid

log = logging.getLogger("sgan_tf")


class EpochLog(keras.callbacks.Callback):
    """Writes an epoch's means to metrics.jsonl, to TensorBoard and to the log.

    Args:
        run: The `Run`.
        stage: Its name.
        steps: Steps an epoch.
        epochs: Epochs of the stage.
    """

    def __init__(self, run, stage, steps, epochs):
        super().__init__()
        self.run, self.stage, self.steps, self.epochs = run, stage, steps, epochs
        self.writer = None

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        if self.run.writes:
            folder = self.run.path / "tensorboard" / self.stage
            self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        values = {name: round(float(value), 6) for name, value in sorted(logs.items())}
        seconds = round(time.monotonic() - self.started, 1)
        line = {"stage": self.stage, "epoch": epoch + 1, "step": (epoch + 1) * self.steps}
        self.run.append_metrics({**line, **values, "seconds": seconds})
        self._summarize(epoch, values)
        log.info(
            "%s epoch %d/%d (%.1f s): %s",
            self.stage,
            epoch + 1,
            self.epochs,
            seconds,
            ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
        )

    def _summarize(self, epoch, values):
        import tensorflow as tf

        if self.writer:
            with self.writer.as_default(step=epoch + 1):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self.writer.flush()

    def on_train_end(self, logs=None):
        if self.writer:
            self.writer.close()


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
        self.run, self.stage, self.epochs, self.every = run, stage, epochs, every
        self.draw, self.class_names = draw, class_names

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epochs or (self.every and (epoch + 1) % self.every == 0):
            images = self.draw()
            columns = len(images) // len(self.class_names)
            picture = image_grid(images, columns, self.class_names)
            self.run.save_png(f"fakes_{self.stage}_{epoch + 1:04d}.png", picture)


class AverageStatistics(keras.callbacks.Callback):
    """Measures averaged generators' batch statistics anew, before anything samples from them.

    Args:
        model: A `LevelGAN` or `StackedGAN`.
        upper: What `model.refresh_average` takes, arrays of some 1,000 rows.
        seed: Of the noise, which is the same at every epoch.
    """

    def __init__(self, model, upper, seed):
        super().__init__()
        self.averaged, strategy = bool(model.averages()), model.distribute_strategy

        @tf.function
        def refresh(upper):
            strategy.run(model.refresh_average, (upper, tf.constant([seed, 1])))

        self._refresh = lambda: refresh(tf.constant(upper))

    def on_epoch_end(self, epoch, logs=None):
        if self.averaged:
            self._refresh()
