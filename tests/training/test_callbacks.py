import logging

import numpy as np
import pytest

from sgan_tf.training.callbacks import CollapseMonitor


@pytest.mark.parametrize(
    ("noise_scale", "collapsed"), [(1.0, False), (0.1, False), (0.001, True), (0.0, True)]
)
def test_a_level_that_ignores_its_noise_is_called_collapsed(
    small_stack, caplog, monkeypatch, noise_scale, collapsed
):
    _, stack, _ = small_stack()
    rng = np.random.default_rng(0)
    h = rng.normal(size=(64, 1, 8, 8, 1)) + noise_scale * rng.normal(size=(64, 8, 8, 8, 1))
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)
    logs = {}
    CollapseMonitor([stack.levels[0]], lambda: [h], [8.0]).on_epoch_end(0, logs)
    assert logs["conditional_spread_0"] == pytest.approx(
        noise_scale * np.sqrt(7 / 8), rel=0.1, abs=1e-6
    )
    assert logs["spread_0"] == pytest.approx(np.sqrt(1 + noise_scale**2), rel=0.1)
    assert (
        "level 0 has collapsed" in caplog.text and "levels.0.lambda_ent" in caplog.text
    ) == collapsed
