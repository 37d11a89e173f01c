"""The watch on collapse: how widely each level's samples spread, after every epoch."""

import logging

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.images import as_float
from sgan_tf.spread import conditional_spread, spread

log = logging.getLogger("sgan_tf")
COLLAPSED = 0.05  # conditional spread, in units of the real one: below it a level ignores its noise
CONDITIONS, DRAWS = 64, 8
REAL_ROWS = 2000  # of the real spread


class CollapseMonitor(keras.callbacks.Callback):
    """Adds each level's spread of generated h_i, over that of real h_i, to the epoch's metrics.

    `spread_i` is over everything, `conditional_spread_i` over noise alone, given one condition:
    what the entropy loss is for. Under 0.05 the level ignores its noise, and the log says so.

    Args:
        levels: The `LevelGAN`s in training.
        real: `[h_0, …, h_{N-1}]` of real images, arrays.
        labels: Their labels, integers `[N]`: the conditions of the top level.
        seed: Of the noise, which is the same at every epoch.
    """

    def __init__(self, levels, real, labels, seed):
        super().__init__()
        self.levels = levels
        self.real_spreads = [spread(as_float(real[level.index][:REAL_ROWS])) for level in levels]
        rows = np.arange(CONDITIONS * DRAWS) // DRAWS % len(labels)
        uppers = [*real, labels]
        self._draws = [_drawing(level, uppers[level.index + 1][rows], seed) for level in levels]

    def on_epoch_end(self, epoch, logs=None):
        for level, draw, real in zip(self.levels, self._draws, self.real_spreads):
            h = draw()
            conditional = conditional_spread(h) / real
            logs[f"spread_{level.index}"] = spread(h.reshape(-1, *h.shape[2:])) / real
            logs[f"conditional_spread_{level.index}"] = conditional
            if conditional < COLLAPSED:
                log.warning(
                    "level %d has collapsed: for one condition its samples spread %.3f times as "
                    "widely as real data, so it ignores its noise z_%d; if this lasts, raise "
                    "levels.%d.lambda_ent or lower levels.%d.z_dim",
                    level.index,
                    conditional,
                    *(level.index,) * 3,
                )


def _drawing(level, upper, seed):
    """A function that draws h_i, several times for each condition: `[conditions, draws, ...]`."""
    condition = level.condition(tf.constant(upper))
    shape = [len(upper), level.config.z_dim]
    z = tf.random.stateless_uniform(shape, [seed, level.index])
    generate = tf.function(lambda: level.sampler([condition, z], training=False))

    def draw():
        h = generate().numpy()
        return h.reshape(CONDITIONS, DRAWS, *h.shape[1:])

    return draw
