import numpy as np
import pytest

from sgan_tf.evaluation import reference as references
from sgan_tf.evaluation.judge import build_judge
from sgan_tf.evaluation.protocol import EvaluationError
from sgan_tf.evaluation.reference import Reference, load_reference, reference_path


@pytest.mark.slow
def test_it_is_cached_for_the_very_images(cache, reference, digits):
    assert len(reference.train_features) == len(digits.train_images)
    np.testing.assert_array_equal(reference.test_images, digits.test_images)
    assert load_reference(cache, {**digits.description(), "crc32": "00000000"}) is None


@pytest.mark.slow
def test_a_damaged_cache_is_made_anew(cache, digits, tmp_path):
    path = reference_path(cache, digits.description())
    (tmp_path / path.name).write_bytes(path.read_bytes()[:100_000])
    assert load_reference(tmp_path, digits.description()) is None


def test_a_cache_that_cannot_be_written_is_one_line(digits, tmp_path, monkeypatch):
    judge = build_judge(digits.image_shape, 10, width=0.1)
    monkeypatch.setattr(references, "train_judge", lambda *args, **keywords: judge)
    monkeypatch.setattr(references, "small_classifier_accuracy", lambda *args: 0.5)
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(EvaluationError, match="`cache_dir`: cannot write .*: File exists"):
        references.make_reference(tmp_path / "cache", digits)


def test_a_random_order_keeps_rows_together():
    rows = np.arange(50)
    reference = Reference(None, 0.9, rows, rows, rows, 2 * rows, 3 * rows, 4 * rows, 0.8)
    shuffled = reference.in_random_order()
    order = shuffled.test_images
    assert sorted(order) == list(rows) and (order != rows).any()
    np.testing.assert_array_equal(shuffled.test_labels, 2 * order)
    np.testing.assert_array_equal(shuffled.test_logits, 3 * order)
    np.testing.assert_array_equal(shuffled.test_features, 4 * order)
    np.testing.assert_array_equal(shuffled.train_features, rows)
