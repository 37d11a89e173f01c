import pytest

from sgan_tf.errors import RunError
from sgan_tf.evaluation.protocol import EvaluationError, check_samples
from sgan_tf.runs.run import Run


def test_too_few_samples():
    check_samples(40, 10)
    check_samples(100, 100)
    with pytest.raises(EvaluationError, match="`samples`: 39 are too few for 10 classes"):
        check_samples(39, 10)
    with pytest.raises(EvaluationError, match="at least 100 are needed"):
        check_samples(99, 100)


def test_a_run_without_data(tmp_path):
    with pytest.raises(RunError, match="`run_dir`: .* is not trained: encoder is not finished"):
        Run(tmp_path).data()
