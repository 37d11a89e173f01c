"""Data sets: uint8 images in memory, labels and class names."""

import dataclasses
import hashlib
import os
import pathlib
import zlib

import numpy as np

from sgan_tf.errors import DataError

TFDS_NAMES = {"mnist": "mnist", "svhn": "svhn_cropped", "cifar10": "cifar10"}
TEST_PERCENT = 10  # of a folder's files


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Labelled images in memory.

    Attributes:
        name: One of `config.DATASETS`.
        class_names: K strings.
        train_images, test_images: uint8 `[N, H, W, C]`.
        train_labels, test_labels: int32 `[N]` in [0, K).
    """

    name: str
    class_names: list
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def num_classes(self):
        return len(self.class_names)

    @property
    def image_shape(self):
        return self.train_images.shape[1:]

    def description(self):
        """Returns what identifies the data set: names, sizes and a checksum of its training images and labels."""
        checksum = zlib.crc32(
            self.train_labels.tobytes(), zlib.crc32(np.ascontiguousarray(self.train_images))
        )
        return {
            "name": self.name,
            "class_names": self.class_names,
            "image_shape": list(self.image_shape),
            "train_images": len(self.train_images),
            "test_images": len(self.test_images),
            "crc32": f"{checksum:08x}",
        }


def load_dataset(name, image_size=None, data_dir=None, download=False):
    """Loads a data set whole.

    Args:
        name: One of `config.DATASETS`.
        image_size: Side in pixels to which images of another size are resized.
        data_dir: For `folder`, the directory with one sub-directory a class; for TFDS, where its data sets are
            prepared (by default TFDS_DATA_DIR, then ~/tensorflow_datasets).
        download: Allow TFDS to fetch a data set that is not prepared; else the network is never touched.

    Returns:
        An `ImageDataset`.

    Raises:
        DataError: when the images are not there or cannot be used.
    """
    if name == "digits":
        dataset = _load_digits()
    elif name == "folder":
        return _load_folder(data_dir, image_size or 32)
    else:
        dataset = _load_tfds(name, data_dir, download)
    if image_size and image_size != dataset.image_shape[0]:
        dataset = dataclasses.replace(
            dataset,
            train_images=_resize(dataset.train_images, image_size),
            test_images=_resize(dataset.test_images, image_size),
        )
    return dataset


def _load_digits():
    """scikit-learn's 1,797 images of handwritten digits (UCI optdigits), every sixth for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int32)
    test = np.arange(len(images)) % 6 == 0
    return ImageDataset(
        "digits",
        [str(d) for d in range(10)],
        images[~test],
        labels[~test],
        images[test],
        labels[test],
    )


def _load_tfds(name, data_dir, download):
    import tensorflow_datasets as tfds

    directory = (
        data_dir
        or os.environ.get("TFDS_DATA_DIR")
        or str(pathlib.Path.home() / "tensorflow_datasets")
    )
    directory = os.path.expanduser(directory)
    builder = tfds.builder(TFDS_NAMES[name], data_dir=directory, try_gcs=False)
    if not builder.is_prepared():
        if not download:
            raise DataError(
                f"--dataset {name}: {TFDS_NAMES[name]} is not prepared in {directory}; "
                "name the folder that holds it with --data_dir, or fetch it with --download"
            )
        try:
            builder.download_and_prepare()
        except Exception as error:  # TFDS passes on whatever the network stack raises
            raise DataError(
                f"--download: could not fetch {TFDS_NAMES[name]} into {directory}: {str(error).splitlines()[0]}"
            ) from error
    splits = {
        split: tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        for split in ("train", "test")
    }
    return ImageDataset(
        name,
        list(builder.info.features["label"].names),
        splits["train"]["image"],
        splits["train"]["label"].astype(np.int32),
        splits["test"]["image"],
        splits["test"]["label"].astype(np.int32),
    )


def _load_folder(data_dir, side):
    from PIL import Image, UnidentifiedImageError

    if not data_dir:
        raise DataError(
            "--dataset folder: needs --data_dir, a directory with one sub-directory of images a class"
        )
    root = pathlib.Path(data_dir).expanduser()
    if not root.is_dir():
        raise DataError(f"--data_dir: {root} is not a directory")
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise DataError(
            f"--data_dir: {root} has {len(classes)} sub-directories with images; at least 2 classes are needed, one sub-directory each"
        )
    Image.init()
    images, labels, in_test, grey = [], [], [], True
    for label, name in enumerate(classes):
        files = sorted(p for p in (root / name).iterdir() if p.suffix.lower() in Image.EXTENSION)
        if not files:
            raise DataError(f"--data_dir: {root / name} holds no image")
        for path in files:
            try:
                with Image.open(path) as image:
                    grey = grey and image.mode in ("1", "L", "I;16")
                    images.append(
                        np.asarray(
                            image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
                        )
                    )
            except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
                raise DataError(
                    f"--data_dir: {path} is not a readable image ({type(error).__name__}); repair or remove it"
                ) from error
            labels.append(label)
            in_test.append(_hashed_percent(f"{name}/{path.name}") < TEST_PERCENT)
    images, labels, test = np.stack(images), np.array(labels, np.int32), np.array(in_test)
    images = images[..., :1] if grey else images
    missing = [name for label, name in enumerate(classes) if not (labels[~test] == label).any()]
    if missing or not test.any():
        raise DataError(
            f"--data_dir: {root} has too few images ({len(images)}) for a training and a test split; add more"
            + (f" to {missing[0]}" if missing else "")
        )
    return ImageDataset("folder", classes, images[~test], labels[~test], images[test], labels[test])


def _hashed_percent(name):
    """Maps a file name to [0, 100), so that a file stays in its split whatever is added beside it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100


def _resize(images, side):
    import tensorflow as tf

    def resized(batch):
        return np.clip(
            np.round(tf.image.resize(batch, (side, side), antialias=True).numpy()), 0, 255
        ).astype(np.uint8)

    return np.concatenate([resized(images[i : i + 1000]) for i in range(0, len(images), 1000)])
