"""TF-GAN's Inception 2015-12-05, for scores on the published scale that compare with papers."""

import os
import pathlib
import tarfile
import tempfile
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.protocol import EvaluationError
from sgan_tf.utils.files import PARTIAL
from sgan_tf.utils.images import as_float

URL = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1?tf-hub-format=compressed"
SIDE = 299  # side of its input images in pixels
OUTPUTS = {"logits": 1008, "pool_3": 2048}


class Inception:
    """Inception 2015-12-05 as the SavedModel that TF-GAN publishes.

    Args:
        path: Path. The folder of the SavedModel, which is a callable of float32 images `[N, 299,
            299, 3]` in [-1, 1] that returns `{"logits": [N, 1008], "pool_3": [N, 2048]}`.

    Raises:
        EvaluationError: when the folder holds no such module.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        try:
            self.module = tf.saved_model.load(str(path))
            self([np.zeros((1, SIDE, SIDE, 3), np.uint8)])
        except (OSError, ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0][:120]
            raise EvaluationError(
                f"`inception`: {path} is not TF-GAN's Inception module ({reason}); it is a "
                "SavedModel that returns logits [N, 1008] and pool_3 [N, 2048]"
            ) from error

    def __call__(self, batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Runs the network on batches of images of any size, gray or in color.

        Args:
            batches: Iterable of uint8 `np.ndarray` `[N, H, W, C]`. The images.

        Returns:
            `(logits, pool_3)`, float32 `[N, 1008]` and `[N, 2048]` for the N images of all batches.
        """
        parts = [self._run(tf.constant(as_float(images))) for images in batches]
        logits, features = (np.concatenate([part[name] for part in parts]) for name in OUTPUTS)
        return logits, features

    def _run(self, images):
        images = tf.image.grayscale_to_rgb(images) if images.shape[-1] == 1 else images
        outputs = self.module(2 * tf.image.resize(images, (SIDE, SIDE), method="bilinear") - 1)
        flat = {name: tf.reshape(outputs[name], [len(images), -1]).numpy() for name in OUTPUTS}
        for name, length in OUTPUTS.items():
            if flat[name].shape[1] != length:
                raise ValueError(f"{name} has {flat[name].shape[1]} columns, not {length}")
        return flat


def download(folder: str | os.PathLike, url: str = URL) -> pathlib.Path:
    """Downloads the module to `folder/inception-2015-12-05`, unless it is there already.

    Args:
        folder: Path. The folder.
        url: String. The address of the module, a `.tar.gz` file. Defaults to TensorFlow Hub's.

    Returns:
        `pathlib.Path`. The folder of the SavedModel.

    Raises:
        EvaluationError: when it cannot be downloaded.
    """
    import requests

    path = pathlib.Path(folder) / "inception-2015-12-05"
    if path.exists():
        return path
    try:
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=path.parent) as partial:
            archive = pathlib.Path(partial) / "module.tar.gz"
            archive.write_bytes(answer.content)
            with tarfile.open(archive) as file:
                file.extractall(pathlib.Path(partial) / "module", filter="data")
            (pathlib.Path(partial) / "module").rename(path)
    except (requests.RequestException, OSError, tarfile.TarError) as error:
        raise EvaluationError(
            f"`inception` download: cannot fetch {url} ({type(error).__name__}); give `inception` "
            "the path of a copy"
        ) from error
    return path
