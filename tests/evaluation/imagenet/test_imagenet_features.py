import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from processes import EVALUATE, run

from sgan_tf.evaluation.imagenet.features import (
    ImageNetReference,
    imagenet_network,
    imagenet_reference,
    imagenet_views,
    resized,
)
from sgan_tf.evaluation.judge import judged
from sgan_tf.evaluation.metrics.imagenet import measure
from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.protocol import EvaluationError
from sgan_tf.evaluation.scores import to_json
from sgan_tf.evaluation.view import View


@pytest.fixture(scope="module")
def double(digits):
    """A network that gives an image's own pixels as features, and ten of them as logits."""
    inputs = keras.Input(digits.image_shape)
    features = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, [features[:, 20:30], features])


def refuse():
    raise AssertionError("the training images were asked for")


@pytest.mark.parametrize("side", [28, 32, 300])
def test_images_are_resized_as_pillow_does(side):
    image = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    image[: side // 2, : side // 2] = 255  # edges at which cubic curves overshoot
    channels = [Image.fromarray(image[..., c].astype("float32")) for c in range(3)]
    expected = [channel.resize((224, 224), Image.Resampling.BICUBIC) for channel in channels]
    ours = np.asarray(resized(image[None].astype("float32") / 255))
    np.testing.assert_allclose(ours[0], np.clip(np.stack(expected, -1), 0, 255), atol=0.01)


def test_grey_images_become_three_equal_channels(digits):
    grey = digits.test_images[:2].astype("float32") / 255
    np.testing.assert_array_equal(resized(grey), resized(grey.repeat(3, -1)))
    logits, features = judged(imagenet_network((8, 8, 1)), digits.test_images[:2])
    assert logits.shape == (2, 1000) and features.shape == (2, 1280)


def test_real_images_are_measured_once(double, digits, tmp_path):
    data = digits.description()

    def reference(count, train_images=refuse, data=data):
        return imagenet_reference(double, tmp_path, data, count, digits.test_images, train_images)

    first = reference(200, lambda: digits.train_images)
    assert len(first.train_features) == len(first.test_features) == len(first.test_logits) == 200
    again, fewer = reference(200), reference(50)
    np.testing.assert_array_equal(first.train_features, again.train_features)
    np.testing.assert_array_equal(first.train_features[:50], fewer.train_features)
    np.testing.assert_array_equal(first.test_logits[:50], fewer.test_logits)
    # As many of one as of the other, which are the test images here.
    most = reference(5000, lambda: digits.train_images)
    assert len(most.train_features) == len(most.test_features) == len(digits.test_images)
    np.testing.assert_array_equal(most.train_features[:200], first.train_features)
    with pytest.raises(AssertionError, match="were asked for"):
        reference(50, data={**data, "crc32": "00000000"})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:10_000])
    reference(200, lambda: digits.train_images)  # a damaged file is written again
    reference(200)


def test_what_cannot_be_measured(double, digits, tmp_path):
    few = {**digits.description(), "test_images": 39}
    with pytest.raises(EvaluationError, match="`imagenet`: scores of 39 images say nothing; at le"):
        imagenet_reference(double, tmp_path, few, 500, digits.test_images, refuse)
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(EvaluationError, match="`cache_dir`: cannot write .*: File exists"):
        imagenet_reference(
            double,
            tmp_path / "cache",
            digits.description(),
            50,
            digits.test_images,
            lambda: digits.train_images,
        )


def test_both_columns_are_of_the_same_number_of_images(double, digits):
    train, test = digits.train_images, digits.test_images
    train_features = judged(double, train)[1][:120]
    logits, features = judged(double, test)
    reference = ImageNetReference(double, train_features, logits[:120], features[:120])
    unused = ("labels", "logits", "features", "reference", "dataset", "class_names")
    unused = {**dict.fromkeys((*unused, "class_images")), "seed": 0, "levels": 1}
    real = View(images=test, samples=80, **unused)
    for samples, count in ((150, 120), (80, 80)):
        drawn = View(images=train[500:][:samples], samples=samples, **unused)
        views = imagenet_views(reference, drawn, real)
        scores = [to_json(measure(view)) for view in views]
        names = [f"{name}{count}_imagenet" for name in ("fd", "precision", "recall", "cs")]
        assert [list(column) for column in scores] == [names, names]
        assert scores[0] != scores[1] and min(column[names[0]] for column in scores) > 0
        expected = precision_recall(train_features[:count], features[:count])
        assert (scores[1][names[1]], scores[1][names[2]]) == expected


@pytest.mark.slow
def test_the_program_measures_and_explains(evaluated, cache, tmp_path):
    run_dir = shutil.copytree(evaluated[0], tmp_path / "run")
    cache = shutil.copytree(cache, tmp_path / "cache")
    arguments = ["--run_dir", run_dir, "--samples", "100", "--cache_dir", cache]
    out, _ = run(EVALUATE, [*arguments, "--imagenet", "--imagenet_samples", "60"])
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    samples, real = facts["samples"], facts["real"]
    page = (run_dir / "evaluation" / "report.html").read_text()
    for name in ("fd60_imagenet", "precision60_imagenet", "recall60_imagenet", "cs60_imagenet"):
        assert [name, f"{samples[name]:.4g}", f"{real[name]:.4g}"] in map(
            str.split, out.splitlines()
        )
        assert name.replace("_", "_<wbr>") in page
    assert samples["fd60_imagenet"] > real["fd60_imagenet"]  # two epochs are no match
    assert "It is not the FID" in page
    assert not [name for name in samples if name.startswith(("fid", "is"))]
