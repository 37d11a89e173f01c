"""Models of keras.applications by their names, with weights from a file."""

import keras
import pytest

from sgan_tf import ConfigError
from sgan_tf.runs.classifier import Classifier


def test_names_of_keras_applications():
    with pytest.raises(ConfigError, match="neither a file nor a model .* mean MobileNetV2"):
        Classifier.of_name("mobile_net_v22", "imagenet", (8, 8, 1), 10)
    with pytest.raises(ConfigError, match="`encoder_weights`: w.h5 is no file, nor imagenet"):
        Classifier.of_name("mobilenet_v2", "w.h5", (8, 8, 1), 10)


@pytest.mark.slow
def test_a_name_with_a_file_of_weights(tmp_path):
    weights = tmp_path / "own.weights.h5"
    keras.applications.MobileNetV2((32, 32, 3), 1.0, weights=None, classes=4).save_weights(weights)
    classifier = Classifier.of_name("mobilenet_v2", str(weights), (8, 8, 1), 4)
    assert classifier.input_range == "-1..1" and len(classifier.candidates((8, 8, 1))) > 50
    with pytest.raises(ConfigError, match="`encoder_weights`: mobilenet_v2 cannot have"):
        Classifier.of_name("mobilenet_v2", str(weights), (8, 8, 1), 5)
