import sys

from sgan_tf.evaluation.tfgan import classifier_metrics


def test_it_is_imported_without_leaving_stubs_behind():
    assert callable(classifier_metrics().frechet_classifier_distance_from_activations)
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow_gan"]
