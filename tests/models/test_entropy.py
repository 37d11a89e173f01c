"""The entropy loss as a layer, and the example of its documentation."""

import re
import runpy
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

from sgan_tf import EntropyLoss


def test_the_layer_is_equation_7():
    layer, rng = EntropyLoss(3), np.random.default_rng(0)
    features, z = (
        rng.normal(size=(5, 2, 2, 4)).astype("float32"),
        rng.random((5, 3), dtype=np.float32),
    )
    loss = float(layer(features, z))
    kernel, bias = (v.numpy() for v in layer.trainable_variables)
    assert loss == pytest.approx(
        np.mean((features.reshape(5, -1) @ kernel + bias - z) ** 2), rel=1e-5
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.z_dim == 3


def test_gradients_reach_the_head_and_the_features():
    layer = EntropyLoss(3)
    features, z = tf.random.stateless_normal([5, 4], [0, 0]), tf.zeros([5, 3])
    layer(features, z)
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = layer(features, z)
    gradients = tape.gradient(loss, [features, *(v.value for v in layer.trainable_variables)])
    assert all(float(tf.reduce_max(tf.abs(g))) > 0 for g in gradients)


@pytest.mark.slow
def test_the_example_collapses_without_it_and_not_with_it(tmp_path, monkeypatch, capsys):
    """In 1,000 of its 2,500 steps."""
    main = runpy.run_path(str(ROOT / "docs" / "entropy_loss.py"))["main"]
    monkeypatch.setitem(main.__globals__, "STEPS", 1000)
    monkeypatch.setattr(sys, "argv", ["entropy_loss.py", str(tmp_path / "figure.png")])
    main()
    said = re.findall(r"spread in a class ([\d.]+)", capsys.readouterr().out)
    without, with_it = map(float, said)
    assert without < 0.2 and with_it > 0.3  # about 0.11 and 0.45
    assert (tmp_path / "figure.png").exists()
