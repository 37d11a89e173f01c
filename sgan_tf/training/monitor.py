"""Monitors collapse: measures after every epoch how widely each level's samples spread."""

import logging
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.spread import COLLAPSED, conditional_spread, spread
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.typing import Logs
from sgan_tf.utils.images import as_float

log = logging.getLogger("sgan_tf")
LASTING = 3  # consecutive measurements of a collapse before the log warns of it
LEAST_GRACE = 3  # first epochs that are not counted, or the first tenth of the stage if it is more
CONDITIONS, DRAWS = 64, 8
REAL_ROWS = 2000  # real images whose spread is measured


class CollapseMonitor(keras.callbacks.Callback):
    """Adds the spread of each level's generated h_i, relative to real h_i, to the epoch's metrics.

    `spread_i` is the spread over conditions and noise. `conditional_spread_i` is the spread over
    noise alone for one condition, which the entropy loss is for. Below 0.05, the level ignores its
    noise. The log warns of this at the third such measurement in a row after the first tenth of the
    stage (at least three epochs). It warns again only if the level has recovered in between.

    Args:
        levels: Sequence of `LevelGAN`. The levels in training.
        real: Sequence of `np.ndarray`. `[h_0, …, h_{N-1}]` of real images.
        labels: Integer `np.ndarray` `[N]`. The labels of these images, which are the conditions of
            the top level.
        seed: Integer. The seed of the noise, which is the same at every epoch.
        epochs: Integer. The number of epochs of the stage.
        measured: Iterable of dictionaries. The lines of metrics.jsonl that the stage has written
            before it resumed. Defaults to none.
    """

    def __init__(
        self,
        levels: Sequence[LevelGAN],
        real: Sequence[np.ndarray],
        labels: np.ndarray,
        seed: int,
        epochs: int,
        measured: Iterable[dict] = (),
    ) -> None:
        super().__init__()
        self.levels = levels
        self.real_spreads = [spread(as_float(real[level.index][:REAL_ROWS])) for level in levels]
        rows = np.arange(CONDITIONS * DRAWS) // DRAWS % len(labels)
        uppers = [*real, labels]
        self._draws = [
            _make_sampler(level, uppers[level.index + 1][rows], seed) for level in levels
        ]
        self._grace = max(LEAST_GRACE, -(-epochs // 10))
        self._low = {level.index: 0 for level in levels}  # consecutive low measurements
        for line in measured:
            self._count(line["epoch"], line)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for level, draw, real in zip(self.levels, self._draws, self.real_spreads):
            h = draw()
            logs[f"spread_{level.index}"] = spread(h.reshape(-1, *h.shape[2:])) / real
            logs[f"conditional_spread_{level.index}"] = conditional_spread(h) / real
        self._count(epoch + 1, logs)
        for index, count in self._low.items():
            if count == LASTING:
                log.warning(
                    "level %d has collapsed: for one condition its samples spread %.3f times as "
                    "widely as real data, for %d epochs now, so it ignores its noise z_%d; if it "
                    "does not recover, raise levels.%d.loss.lambda_ent or lower levels.%d.z_dim",
                    index,
                    logs[f"conditional_spread_{index}"],
                    LASTING,
                    *(index,) * 3,
                )

    def _count(self, epoch, numbers):
        low = collapsed(numbers) if epoch > self._grace else []
        self._low = {i: count + 1 if i in low else 0 for i, count in self._low.items()}


def collapsed(numbers: dict) -> list[int]:
    """Returns which levels ignore their noise.

    Args:
        numbers: Dictionary. The metrics of an epoch, `{name: value}`.

    Returns:
        List of integers. The indices of the levels that have collapsed.
    """
    spreads = {name.split("conditional_spread_")[-1]: value for name, value in numbers.items()}
    return [int(i) for i, value in spreads.items() if i.isdecimal() and value < COLLAPSED]


def _make_sampler(level, upper, seed):
    """Makes a function that draws h_i several times per condition: `[conditions, draws, ...]`."""
    condition = level.condition(tf.constant(upper))
    shape = [len(upper), level.config.z_dim]
    z = level.noise_distribution.of_uniform(tf.random.stateless_uniform(shape, [seed, level.index]))
    sample = tf.function(lambda: level.sampler([condition, z], training=False), autograph=False)

    def draw():
        h = sample().numpy()
        return h.reshape(CONDITIONS, DRAWS, *h.shape[1:])

    return draw
