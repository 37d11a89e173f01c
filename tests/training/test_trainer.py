"""The one loop: what a call holds leaves no trace, and the same on several devices."""

import dataclasses
import logging

import numpy as np
import pytest
from shared import RECIPE

import sgan_tf
from sgan_tf.cli.devices import strategy
from sgan_tf.training.trainer import Interrupted, TrainingDiverged

SMALL = [
    *(
        "levels.0.generator.channels=[4]",
        "levels.0.discriminator.channels=[4]",
        "levels.0.generator.noise_units=[4]",
    ),
    *(
        "levels.1.generator.units=[8]",
        "levels.1.discriminator.units=[8]",
        "encoder.channels=[4,4]",
        "encoder.units=8",
    ),
    "batch_size=10",
]


@pytest.fixture(scope="module")
def few():
    """A data set of 60 digits."""
    digits = sgan_tf.load_dataset("digits")
    images, labels = digits.train_images[:60], digits.train_labels[:60]
    test = digits.test_images[:20], digits.test_labels[:20]
    return sgan_tf.ImageDataset("few", digits.class_names, images, labels, *test)


def train(
    folder,
    dataset,
    overrides=(),
    stages=("encoder", "level0"),
    epochs=2,
    precision="float32",
    **options,
):
    config = sgan_tf.make_config(
        "digits", epochs=epochs, overrides=[*SMALL, *overrides], precision=precision
    )
    run = sgan_tf.Run.open(folder, config)
    options = sgan_tf.TrainingOptions(sample_every=0, **options)
    pipeline = sgan_tf.Pipeline(config, run, dataset, options=options)
    pipeline.train(stages)
    lines = [{k: v for k, v in x.items() if k != "seconds"} for x in run.metrics.read()]
    run.close()
    return pipeline, lines


@pytest.mark.slow
def test_the_steps_of_a_call_leave_no_trace(few, tmp_path):
    results = [train(tmp_path / str(n), few, steps_per_call=n) for n in (1, 4, 100)]
    (first, lines), *others = results
    assert len(lines) == 4
    for pipeline, again in others:
        assert again == lines
        for a, b in zip(first.stack.get_weights(), pipeline.stack.get_weights()):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_recipe_resumes_bit_for_bit_in_bfloat16(few, tmp_path):
    """Averages, spectral norms, decay, augmentations and mirror images, stopped in every stage."""
    options = {"stages": None, "precision": "bfloat16", "steps_per_call": 2}
    whole, lines = train(tmp_path / "whole", few, RECIPE, **options)
    asked, stops = 0, 0

    def stop():
        nonlocal asked
        asked += 1
        return asked % 7 == 0

    while True:
        try:
            resumed, again = train(tmp_path / "stopped", few, RECIPE, stop=stop, **options)
            break
        except Interrupted:
            stops += 1
    assert stops >= 3 and again == lines
    for a, b in zip(whole.stack.get_weights(), resumed.stack.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["cpu", "2"])
def test_the_adaptive_schedule_lives_in_the_same_loop(few, tmp_path, monkeypatch, devices):
    monkeypatch.setattr("sgan_tf.models.losses.GENERATOR_STEPS", ((100.0, 1),))  # so always 7
    overrides = ["levels.0.optimizer.adaptive_steps=true"]
    pipeline, _ = train(tmp_path, few, overrides, epochs=1, strategy=strategy(devices, 10))
    steps = [int(o.iterations.numpy()) for o in pipeline.stack.levels[0].optimizers().values()]
    assert steps == [6, 42]


def test_rows_are_read_where_they_are(few, tmp_path):
    """Images in a file, of which no copy in memory is made."""
    path = tmp_path / "images.npy"
    np.save(path, few.train_images)
    mapped = sgan_tf.ImageDataset(
        "few",
        few.class_names,
        np.load(path, mmap_mode="r"),
        *(few.train_labels, few.test_images, few.test_labels),
    )
    pipeline, lines = train(tmp_path / "mapped", mapped, stages=["encoder"])
    assert isinstance(pipeline.material.dataset.train_images, np.memmap)
    assert lines == train(tmp_path / "memory", few, stages=["encoder"])[1]


def test_a_divergence_names_the_step_and_keeps_the_last_checkpoint(few, tmp_path):
    overrides = ["levels.0.optimizer.learning_rate=1e30"]
    message = r"level0: .* is not finite at step \d; there is no checkpoint yet"
    with pytest.raises(TrainingDiverged, match=message):
        train(tmp_path / "run", few, overrides, steps_per_call=3)
    run = sgan_tf.Run(tmp_path / "run")
    assert run.progress("encoder").done and run.progress("level0").step == 0


def test_an_encoder_near_chance_is_warned_of(few, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)
    pipeline, _ = train(tmp_path, few, stages=["encoder"], epochs=1)
    says = np.argmax(pipeline.encoder(few.test_images), -1).astype(np.int32)
    for labels, warned in ((says, False), ((says + 1) % 10, True)):  # always right, always wrong
        (tmp_path / "encoder.json").unlink()  # it is measured anew
        caplog.clear()
        train(tmp_path, dataclasses.replace(few, test_labels=labels), stages=["encoder"], epochs=1)
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert warned == any("near chance (0.1000 for 10 classes)" in line for line in warnings)
