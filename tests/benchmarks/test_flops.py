"""What a step takes, told from shapes, is what its graph holds."""

import numpy as np
import pytest
from classifiers import plain
from flops import update_flop

import sgan_tf
from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.models.cost import StackCosts
from sgan_tf.models.encoder.adapters import candidates

BATCH = 10


def test_a_step_of_each_stage_is_counted_from_shapes_as_in_its_graph():
    (cut,) = [cut for cut in candidates(plain()) if cut.name == "pool1"]
    shapes = [[8, 8, 1], list(cut.shape)]
    described = ClassifierConfig("", shapes=shapes, activations=["sigmoid", "relu"])
    config = make_config("digits", cuts=["pool1"], classifier=described)
    encoder = sgan_tf.Encoder.from_keras(plain(), ["pool1"])
    _, stack = sgan_tf.build(config, (8, 8, 1), [str(i) for i in range(10)], encoder=encoder)
    rng, cost = np.random.default_rng(0), StackCosts(10).of(cut, config)
    h = [rng.random((BATCH, *shape), dtype=np.float32) for shape in shapes]
    labels = np.arange(BATCH) % 10
    for level, inputs in zip(stack.levels, (h, h[1:])):
        level.compile()
        counted = update_flop(level, inputs, labels)
        assert BATCH * cost.flop[f"level{level.index}"] == pytest.approx(counted, rel=0.1)
    stack.compile()
    counted = update_flop(stack, tuple(h), labels)
    assert BATCH * cost.flop["joint"] == pytest.approx(counted, rel=0.1)
