"""What trains an encoder without labels: the objectives, the views, and clusters for classes."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from sgan_tf.config.presets import make_config
from sgan_tf.models.augmentations import AUGMENTATIONS, LEAST_CROP, named
from sgan_tf.models.build import build
from sgan_tf.models.encoder.clusters import CONFIDENCE, k_means, majorities, nearest_centroid
from sgan_tf.models.encoder.encoder import trunk_of
from sgan_tf.models.encoder.self_supervised import UnlabelledEncoder, barlow_twins, vicreg

RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, 40, 6)) * [1, 2, 0.1, 1, 1, 3]).astype(np.float32)


def test_vicreg_is_its_equation():
    expected = 25 * np.mean((A - B) ** 2)
    for z in (A, B):
        covariance = np.cov(z, rowvar=False)
        deviations = np.sqrt(np.diag(covariance) + 1e-4)
        expected += 25 * np.mean(np.maximum(0, 1 - deviations)) / 2
        expected += np.sum(covariance[~np.eye(6, dtype=bool)] ** 2) / 6
    assert float(vicreg(tf.constant(A), tf.constant(B))) == pytest.approx(expected, rel=1e-4)


def test_barlow_twins_is_its_equation():
    correlation = np.corrcoef(A, B, rowvar=False)[:6, 6:]
    expected = np.sum((1 - np.diag(correlation)) ** 2)
    expected += 0.0051 * np.sum(correlation[~np.eye(6, dtype=bool)] ** 2)
    found = float(barlow_twins(tf.constant(A), tf.constant(B)))
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["affine", "crop"])
def test_views_are_affine(name):
    """Of a plane over the image there is another plane to see, where no black comes in."""
    across = np.broadcast_to(np.linspace(0.4, 0.6, 16, dtype=np.float32), (50, 16, 16))[..., None]
    seen = np.asarray(AUGMENTATIONS[name](across, [1, 2]))[:, 6:10, 6:10, 0]
    steps = np.diff(seen, axis=2)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1, :1], steps.shape), atol=1e-5)
    zoom = steps[:, 0, 0] / (0.2 / 15)
    assert np.ptp(zoom) > 0.2 and zoom.max() < 1.4
    if name == "crop":
        assert zoom.min() >= LEAST_CROP - 1e-3 and zoom.max() <= 1 + 1e-3
        np.testing.assert_allclose(np.diff(seen, axis=1), 0, atol=1e-5)


def test_an_encoder_learns_without_labels():
    config = make_config("digits", labels="none")
    encoder, _ = build(config, (8, 8, 1), ["image"])
    model = UnlabelledEncoder(encoder, config.encoder, noise_seed=1)
    model.compile()
    assert set(model.state()) == {"encoder", "optimizer", "expander"}
    before = [v.numpy() for v in encoder.trainable_variables]
    images = RNG.random((64, 8, 8, 1), dtype=np.float32)
    losses = model.fit(images, np.zeros(64), batch_size=32, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    *trunk, kernel, bias = [v.numpy() != b for v, b in zip(encoder.trainable_variables, before)]
    assert all(changed.any() for changed in trunk)
    assert not kernel.any() and not bias.any()  # of fc4
    features = encoder.features(images)[0]
    np.testing.assert_allclose(trunk_of(encoder)(images), features, rtol=1e-5, atol=1e-6)


def test_two_views_of_a_step_differ_and_those_of_a_seed_are_the_same():
    view = named(["affine", "color"])
    images = RNG.random((4, 8, 8, 1), dtype=np.float32)
    first, second, again = (view(images, [3, n]) for n in (1, 2, 1))
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(first, again)


def test_the_last_layer_finds_the_nearest_centroid():
    features, classes = make_blobs(600, 5, centers=4, cluster_std=2.0, random_state=0)
    centroids = k_means(features, 4, seed=3)
    kernel, bias = nearest_centroid(features, centroids)
    logits = features @ kernel + bias
    known = KMeans(4, init=centroids, n_init=1).fit(features)
    np.testing.assert_array_equal(logits.argmax(1), known.predict(features))
    squares = np.square(features[:, None] - centroids).sum(-1)
    s = 2 * (logits[0, 1] - logits[0, 0]) / (squares[0, 0] - squares[0, 1])
    np.testing.assert_allclose(np.ptp(logits + s * squares / 2, axis=1), 0, atol=1e-6 * s)
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    assert probabilities.max(1).mean() == pytest.approx(CONFIDENCE, abs=1e-6)
    images, largest = majorities(logits.argmax(1), classes)
    assert images.sum() == 600 and 0.5 < largest.sum() / images.sum() <= 1
    # Clusters that are the same have no such s, and none is needed.
    assert np.isfinite(nearest_centroid(features, centroids[[0, 0]])[0]).all()


def test_majorities_are_counted():
    images, largest = majorities(np.array([0, 0, 0, 5, 5]), np.array([1, 1, 2, 0, 3]))
    assert images.tolist() == [3, 2] and largest.tolist() == [2, 1]
