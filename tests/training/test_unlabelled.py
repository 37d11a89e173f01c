"""Training without labels: resumed bit for bit, on one device and on two, taken over, recorded."""

import json

import numpy as np
import pytest
from test_trainer import SMALL, few  # noqa: F401 - a fixture

import sgan_tf
from sgan_tf.cli.devices import strategy
from sgan_tf.training.trainer import Interrupted
from sgan_tf.training.transfer import check_images, take_encoder, with_encoder


def train(folder, dataset, labels, stages=("encoder",), **options):
    config = sgan_tf.make_config("digits", epochs=2, overrides=SMALL, labels=labels)
    run = sgan_tf.Run.open(folder, config)
    try:
        options = sgan_tf.TrainingOptions(sample_every=0, steps_per_call=2, **options)
        pipeline = sgan_tf.Pipeline(config, run, dataset.labelled(labels), options=options)
        pipeline.train(stages)
    finally:
        run.close()
    return pipeline


def same(first, second):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_an_encoder_without_labels_resumes_bit_for_bit(few, tmp_path):  # noqa: F811
    whole = train(tmp_path / "whole", few, "clusters:3")
    asked = iter([False, True, False, False, True])
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(tmp_path / "stopped", few, "clusters:3", stop=lambda: next(asked))
    resumed = train(tmp_path / "stopped", few, "clusters:3", ("encoder", "level1"))
    same(whole.encoder, resumed.encoder)
    # The images' labels are the encoder's own, and it says how they agree with the classes.
    data, facts = resumed.material.dataset, resumed.run.read_facts("encoder.json")
    np.testing.assert_array_equal(data.train_labels, resumed.encoder.classify(few.train_images))
    assert facts["class_counts"] == np.bincount(data.train_labels).tolist()
    assert len(facts["class_counts"]) == 3 and facts["objective"] == "vicreg"
    assert 0.1 <= facts["purity"] <= 1 and 0 <= facts["mutual_information"] <= 1
    again = json.loads((tmp_path / "whole" / "encoder.json").read_text())
    assert again == facts
    # fc3 is in units of its spread, so that a generator can be trained on it.
    spread = whole.encoder.features(few.train_images)[0].numpy().std(0)
    np.testing.assert_allclose(spread[spread > 0.5], 1, rtol=1e-3)


@pytest.mark.slow
def test_two_devices_train_without_labels(few, tmp_path):  # noqa: F811
    pipeline = train(tmp_path, few, "none", strategy=strategy("2", 10))
    assert pipeline.run.progress("encoder").done
    assert pipeline.run.read_facts("encoder.json") == {"objective": "vicreg", "class_counts": [60]}


def test_an_encoder_without_labels_is_taken_over(few, tmp_path):  # noqa: F811
    theirs = train(tmp_path / "theirs", few, "clusters:3")
    source, dataset = tmp_path / "theirs", few.labelled("clusters:3")
    wanted = sgan_tf.make_config("digits", overrides=SMALL, labels="clusters:3", epochs=1)
    config = with_encoder(wanted, source)
    check_images(source, dataset)
    run = sgan_tf.Run.open(tmp_path / "ours", config)
    take_encoder(run, source, dataset)
    pipeline = sgan_tf.Pipeline(config, run, dataset)
    pipeline.train(["encoder"])
    same(theirs.encoder, pipeline.encoder)
    assert run.read_facts("encoder.json") == theirs.run.read_facts("encoder.json")
    run.close()
    other = sgan_tf.make_config("digits", overrides=SMALL, labels="none")
    with pytest.raises(
        sgan_tf.RunError, match=r"was trained with `labels` clusters:3, and .* none"
    ):
        with_encoder(other, source)
