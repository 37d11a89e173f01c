"""The watch on collapse: how widely each level's samples spread, after every epoch."""

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
LASTING = 3  # measurements below it, one after another, before the log says so
LEAST_GRACE = 3  # epochs that are not counted; or the first tenth of the stage
CONDITIONS, DRAWS = 64, 8
REAL_ROWS = 2000  # of the real spread


class CollapseMonitor(keras.callbacks.Callback):
    """Adds each level's spread of generated h_i, over that of real h_i, to the epoch's metrics.

    `spread_i` is over everything, `conditional_spread_i` over noise alone, given one condition:
    what the entropy loss is for. Under 0.05 the level ignores its noise. The log says so once it
    lasts: at the third measurement in a row, after the first tenth of the stage (at least three
    epochs), and again only if the level has recovered in between.

    Args:
        levels: The `LevelGAN`s in training.
        real: `[h_0, …, h_{N-1}]` of real images, arrays.
        labels: Their labels, integers `[N]`: the conditions of the top level.
        seed: Of the noise, which is the same at every epoch.
        epochs: Of the stage.
        measured: Lines of metrics.jsonl that the stage has measured before.
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
        self._draws = [_drawing(level, uppers[level.index + 1][rows], seed) for level in levels]
        self._grace = max(LEAST_GRACE, -(-epochs // 10))
        self._low = {level.index: 0 for level in levels}  # measurements in a row
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
                    "does not recover, raise levels.%d.lambda_ent or lower levels.%d.z_dim",
                    index,
                    logs[f"conditional_spread_{index}"],
                    LASTING,
                    *(index,) * 3,
                )

    def _count(self, epoch, numbers):
        low = collapsed(numbers) if epoch > self._grace else []
        self._low = {i: count + 1 if i in low else 0 for i, count in self._low.items()}


def collapsed(numbers: dict) -> list[int]:
    """Returns the levels that ignore their noise, by an epoch's numbers, `{name: value}`."""
    spreads = {name.split("conditional_spread_")[-1]: value for name, value in numbers.items()}
    return [int(i) for i, value in spreads.items() if i.isdecimal() and value < COLLAPSED]


def _drawing(level, upper, seed):
    """A function that draws h_i, several times for each condition: `[conditions, draws, ...]`."""
    condition = level.condition(tf.constant(upper))
    shape = [len(upper), level.config.z_dim]
    z = level.noise.of_uniform(tf.random.stateless_uniform(shape, [seed, level.index]))
    sample = tf.function(lambda: level.sampler([condition, z], training=False), autograph=False)

    def draw():
        h = sample().numpy()
        return h.reshape(CONDITIONS, DRAWS, *h.shape[1:])

    return draw
