import json
import shutil

import pytest
import tensorflow as tf
from processes import EVALUATE, refused, run

from sgan_tf.evaluation.inception import Inception, download
from sgan_tf.evaluation.protocol import EvaluationError


def write_inception(path, pool=2048):
    """A small SavedModel of the signature of TF-GAN's Inception module."""

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.random.stateless_normal([27, pool], [1, 2]))
            self.head = tf.Variable(tf.random.stateless_normal([pool, 1008], [3, 4], stddev=0.1))

        @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3])])
        def __call__(self, images):
            tf.debugging.assert_greater_equal(images, -1.0)
            tf.debugging.assert_less_equal(images, 1.0)
            small = tf.reshape(tf.image.resize(images, (3, 3), antialias=True), [-1, 27])
            features = tf.nn.relu(small @ self.kernel)
            return {"logits": features @ self.head, "pool_3": features[:, None, None, :]}

    tf.saved_model.save(Module(), str(path))
    return path


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return write_inception(tmp_path_factory.mktemp("inception") / "module")


def test_it_takes_images_of_any_size(module, digits):
    images = digits.test_images
    logits, pool = Inception(module)([images[:7], images[7:9]])
    assert logits.shape == (9, 1008) and pool.shape == (9, 2048)


def test_what_is_not_the_module(tmp_path):
    with pytest.raises(EvaluationError, match="`inception`: .* is not TF-GAN's Inception module"):
        Inception(tmp_path)
    with pytest.raises(EvaluationError, match="pool_3 has 100 columns, not 2048"):
        Inception(write_inception(tmp_path / "other", pool=100))


def test_a_network_without_it_is_one_line(tmp_path):
    with pytest.raises(EvaluationError, match="`inception` download: cannot fetch") as failure:
        download(tmp_path, url="http://localhost:9/module")
    assert "; give --inception the path" in failure.value.for_flags()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_published_scale(evaluated, cache, module, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(evaluated[0], run_dir)
    arguments = ["--run_dir", run_dir, "--samples", "200", "--cache_dir", cache]
    out, _ = run(EVALUATE, [*arguments, "--inception", module])
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    samples, real = facts["samples"], facts["real"]
    for scores in (samples, real):
        assert scores["is200_10x20"] >= 1 and scores["fid200_train"] >= 0
    assert samples["fid200_train"] > real["fid200_train"]  # two epochs are no match for real digits
    assert "is200_10x20" in out and "cs200_10x20" in out


@pytest.mark.slow
def test_the_program_refuses_what_is_not_the_module(evaluated, cache, tmp_path):
    before = (evaluated[0] / "evaluation" / "metrics.json").read_bytes()
    arguments = ["--run_dir", evaluated[0], "--cache_dir", cache, "--inception", tmp_path]
    assert "--inception: " in refused(EVALUATE, arguments)
    assert (evaluated[0] / "evaluation" / "metrics.json").read_bytes() == before
