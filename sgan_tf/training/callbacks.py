"""Callbacks that write metrics and samples and show progress in training; `fit` takes them too."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.runs.run import Run
from sgan_tf.training.monitor import collapsed
from sgan_tf.typing import Logs

log = logging.getLogger("sgan_tf")
# Prefixes of the names of the numbers that are shown.
MAIN = ("accuracy", "loss", "class", "cond_", "conditional_spread_", "ent_")
BAR = "{desc}: {percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"
LEAST_SECONDS = 30  # between two lines of progress


class EpochLog(keras.callbacks.Callback):
    """Writes an epoch's means to metrics.jsonl, to TensorBoard and, for debugging, to the log.

    Args:
        run: `Run`. The run that is trained.
        stage: String. The name of the stage.
        steps: Integer. The number of steps per epoch.
        epochs: Integer. The number of epochs of the stage.
    """

    def __init__(self, run: Run, stage: str, steps: int, epochs: int) -> None:
        super().__init__()
        self.run, self.stage, self.steps, self.epochs = run, stage, steps, epochs
        self.writer: tf.summary.SummaryWriter | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        import tensorflow as tf

        if self.run.writes:
            folder = self.run.path / "tensorboard" / self.stage
            self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        values = {name: round(float(value), 6) for name, value in sorted(logs.items())}
        seconds = round(time.monotonic() - self.started, 1)
        line = {"stage": self.stage, "epoch": epoch + 1, "step": (epoch + 1) * self.steps}
        self.run.metrics.append({**line, **values, "seconds": seconds})
        self._summarize(epoch, values)
        log.debug(
            "%s epoch %d/%d (%.1f s): %s",
            self.stage,
            epoch + 1,
            self.epochs,
            seconds,
            _format_numbers(values),
        )

    def _summarize(self, epoch, values):
        import tensorflow as tf

        if self.writer:
            with self.writer.as_default(step=epoch + 1):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self.writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.writer:
            self.writer.close()


class ProgressLogger(keras.callbacks.Callback):
    """Shows the progress of a stage, and its main numbers at the end.

    A terminal shows a bar with the remaining time and the main numbers. Otherwise, the log gets a
    line after half a minute, then one at each tenth of the stage, but never two within half a
    minute. Both get a line at the end, which warns of levels that have collapsed.

    Args:
        stage: String. The name of the stage.
        steps: Integer. The number of steps per epoch.
        epochs: Integer. The number of epochs of the stage.
        first: Integer. The step from which training resumes. Defaults to 0.
    """

    def __init__(self, stage: str, steps: int, epochs: int, first: int = 0) -> None:
        super().__init__()
        self.stage, self.steps, self.epochs = stage, steps, epochs
        self.step, self.last = first, steps * epochs
        self.numbers: Logs = {}
        self.bar: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.began = self.logged_at = time.monotonic()
        self.tenth = -1  # the tenth of the stage in which the last line was logged
        # Time and step after the first call, which takes far longer.
        self.compiled: tuple[float, int] | None = None
        self.bar = tqdm(
            desc=self.stage,
            initial=self.step,
            total=self.last,
            bar_format=BAR,
            dynamic_ncols=True,
            leave=False,
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
        )

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.numbers.update(logs or {})
        self.step = self.epoch * self.steps + batch + 1
        if self.bar.disable:
            self._log_if_due()
        else:
            numbers = _format_numbers(_main(self.numbers))
            self.bar.set_postfix_str(f"epoch {self.epoch + 1}, {numbers}", refresh=False)
            self.bar.update(self.step - self.bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.numbers.update(logs or {})

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.close()
        low = collapsed(self.numbers)
        log.log(
            logging.WARNING if low else logging.INFO,
            "%s: done in %s: %s%s",
            self.stage,
            tqdm.format_interval(time.monotonic() - self.began),
            _format_numbers(_main(self.numbers)),
            "".join(f"; level {i} has collapsed: it ignores its noise z_{i}" for i in low),
        )

    def close(self) -> None:
        """Removes the bar, also if the stage was not trained to its end."""
        if self.bar is not None:
            self.bar.close()

    def _log_if_due(self):
        now, tenth = time.monotonic(), 10 * self.step // self.last
        if self.compiled is None:
            self.compiled = now, self.step
            return
        if tenth > self.tenth and now - self.logged_at >= LEAST_SECONDS and self.step < self.last:
            since, first = self.compiled
            left = (now - since) / (self.step - first) * (self.last - self.step)
            log.info(
                "%s: epoch %d of %d, %s left: %s",
                self.stage,
                self.epoch + 1,
                self.epochs,
                tqdm.format_interval(left),
                _format_numbers(_main(self.numbers)),
            )
            self.logged_at, self.tenth = now, tenth


class SampleGrid(keras.callbacks.Callback):
    """Writes `fakes_<stage>_<epoch>.png`, a picture of samples from fixed noise.

    Args:
        run: `Run`. The run that is trained.
        stage: String. The name of the stage.
        epochs: Integer. The number of epochs of the stage. The last epoch always gets a grid.
        every: Integer. The number of epochs between two grids. 0 writes only the last one.
        draw: Function without arguments that returns the picture, a PIL image.
    """

    def __init__(
        self, run: Run, stage: str, epochs: int, every: int, draw: Callable[[], Image.Image]
    ) -> None:
        super().__init__()
        self.run, self.stage, self.epochs, self.every = run, stage, epochs, every
        self.draw = draw

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch + 1 == self.epochs or (self.every and (epoch + 1) % self.every == 0):
            self.run.save_png(f"fakes_{self.stage}_{epoch + 1:04d}.png", self.draw())


class AverageStatistics(keras.callbacks.Callback):
    """Measures the batch statistics of averaged generators again, before anything samples them.

    Args:
        model: `LevelGAN` or `StackedGAN`. The model that is trained.
        upper: `np.ndarray` `[N, ...]`. The conditions for `model.refresh_average`, some 1,000 rows.
        seed: Integer. The seed of the noise, which is the same at every epoch.
    """

    def __init__(self, model: LevelGAN | StackedGAN, upper: np.ndarray, seed: int) -> None:
        super().__init__()
        self.averaged, strategy = bool(model.averages()), model.distribute_strategy

        @tf.function(autograph=False)
        def refresh(upper):
            strategy.run(model.refresh_average, (upper, tf.constant([seed, 1])))

        self._refresh = lambda: refresh(tf.constant(upper))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.averaged:
            self._refresh()


def _main(numbers):
    return {name: value for name, value in sorted(numbers.items()) if name.startswith(MAIN)}


def _format_numbers(numbers):
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
