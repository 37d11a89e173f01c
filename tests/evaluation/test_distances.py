import tracemalloc

import numpy as np

from sgan_tf.evaluation import distances
from sgan_tf.evaluation.metrics.nearest import nearest
from sgan_tf.evaluation.metrics.precision_recall import precision_recall


def test_memory_is_bounded_by_the_block():
    rows = np.random.default_rng(0).normal(size=(6000, 2))
    tracemalloc.start()
    precision_recall(rows, rows)
    nearest(rows, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A few blocks of distances, never all: 288 MB
    assert peak < 8 * distances.BLOCK * len(rows) * 8


def test_progress_is_shown_a_block_at_a_time():
    rows, seen = np.zeros((3 * distances.BLOCK - 1, 2)), []

    def shown(blocks):
        for block in blocks:
            seen.append(block)
            yield block

    nearest(rows, rows[:5], shown)
    assert len(seen) == 3
