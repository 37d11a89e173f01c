"""The table of data sets, and their images in memory as uint8 with labels and class names."""

import dataclasses
import os
import pathlib
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from sgan_tf.data.folder import ONE_CLASS, Reading, keep, read_folder
from sgan_tf.errors import DataError
from sgan_tf.utils.labels import clusters


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Labeled images in memory.

    Attributes:
        name: String. A name in `DATASETS`, or any other name for your own images.
        class_names: List of K strings. The names of the classes.
        train_images: uint8 `np.ndarray` `[N, H, W, C]`. The training images.
        train_labels: int32 `np.ndarray` `[N]` in [0, K). The labels of the training images.
        test_images: uint8 `np.ndarray` `[M, H, W, C]`. The test images.
        test_labels: int32 `np.ndarray` `[M]` in [0, K). The labels of the test images.
        reading: `Reading`. How a folder's images were read. None for all other data sets.
        source: `ImageDataset`. The data set as it was loaded, if its labels are not used. Otherwise
            None.
    """

    name: str
    class_names: list
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    reading: Reading | None = None
    source: "ImageDataset | None" = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.train_images.shape[1:]

    def description(self) -> dict:
        """Returns what identifies the data set.

        Returns:
            A dictionary for JSON with names, sizes and a checksum of the training data. For a
            folder, `reading` has the arguments of `load_dataset` that it was read with. If the
            labels are not used, `source` has their class names and checksum.
        """
        checksum = zlib.crc32(
            self.train_labels.tobytes(), zlib.crc32(np.ascontiguousarray(self.train_images).data)
        )
        source = self.source and self.source.description()
        return {
            "name": self.name,
            "class_names": self.class_names,
            "image_shape": list(self.image_shape),
            "train_images": len(self.train_images),
            "test_images": len(self.test_images),
            "crc32": f"{checksum:08x}",
            **({"reading": self.reading.options()} if self.reading else {}),
            **({"source": {n: source[n] for n in ("class_names", "crc32")}} if source else {}),
        }

    def matches(self, description: object) -> bool:
        """Returns whether a description is of exactly these images, however they were read.

        Args:
            description: Any value. What `description` of a data set returned, if it matches.

        Returns:
            Boolean.
        """
        if not isinstance(description, dict):
            return False
        return {**self.description(), "reading": None} == {**description, "reading": None}

    def named(self, class_names: Sequence[str]) -> "ImageDataset":
        """Returns the same images with the class names of a classifier, in its order.

        If the data set has the same names in another order, its labels are renumbered to match.

        Args:
            class_names: Sequence of K strings. The names of the classes.

        Returns:
            An `ImageDataset`.

        Raises:
            DataError: when they are not K different names.
        """
        names = list(class_names)
        if len(names) != self.num_classes or len(set(names)) < len(names) or "" in names:
            raise DataError(
                f"`class_names`: {', '.join(names)} are not names for {self.num_classes} classes"
            )
        places = np.arange(len(names))
        if set(names) == set(self.class_names):
            places = np.array([names.index(name) for name in self.class_names])
        places = places.astype(self.train_labels.dtype)
        return dataclasses.replace(
            self,
            class_names=names,
            train_labels=places[self.train_labels],
            test_labels=places[self.test_labels],
        )

    def labelled(self, labels: str) -> "ImageDataset":
        """Returns the same images with other labels. `source` keeps the original ones.

        Args:
            labels: String. Which labels the images get:

                * `given`: the labels that they have.
                * `none`: one class, `image`.
                * `clusters:K`: the classes `cluster 0` and so on. All images are in the first one
                  until the labels of an encoder are set with `assigned`.

        Returns:
            An `ImageDataset`.

        Raises:
            DataError: for any other value, and for more clusters than training images.
        """
        count = clusters(labels)
        if labels == "given":
            return self
        if labels != "none" and count is None:
            raise DataError(f"`labels`: '{labels}' is not given, none or clusters:K, K at least 2")
        if count and count > len(self.train_images):
            raise DataError(
                f"`labels`: {labels} are more clusters than the {len(self.train_images):,} "
                "training images"
            )
        names = [f"cluster {k}" for k in range(count)] if count else [ONE_CLASS]
        zeros = [np.zeros_like(numbers) for numbers in (self.train_labels, self.test_labels)]
        return dataclasses.replace(self, class_names=names, source=self).assigned(*zeros)

    def assigned(self, train_labels: np.ndarray, test_labels: np.ndarray) -> "ImageDataset":
        """Returns the same images and classes with these labels.

        Args:
            train_labels: Integer `np.ndarray` `[N]` in [0, K). The labels of the training images.
            test_labels: Integer `np.ndarray` `[M]` in [0, K). The labels of the test images.

        Returns:
            An `ImageDataset`.
        """
        return dataclasses.replace(self, train_labels=train_labels, test_labels=test_labels)

    def keep(self, cache_dir: str | os.PathLike) -> None:
        """Writes a folder's images to a cache, where `load_dataset` finds them again.

        If they cannot be written, the log warns of it. Other data sets need no cache, so this does
        nothing for them.

        Args:
            cache_dir: Path. The folder of the cache.
        """
        if self.reading:
            keep(cache_dir, self.reading, self.train_images, self.test_images)


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """A row of `DATASETS`: all that is known of a data set before its images are loaded.

    Attributes:
        load: Function of `(name, image_size, data_dir, download, **reading)` that returns an
            `ImageDataset`; `reading` is for folders. None for images that are not in `DATASETS`.
        tfds: String. The name in TensorFlow Datasets, if the data set comes from there. Defaults to
            None.
        title: String. What the data set is, with its source. Model cards show it. Defaults to
            `images`.
        licence: String. The license under which the images may be used. Defaults to what the owner
            of the images says.
        side: Integer. The side of the images in pixels, unless another one is requested. Defaults
            to 32.
        preset: String. The preset that is used when none is named. Defaults to `cifar10-small`.
        flips: Boolean. Whether mirror images are as real as the images. None leaves it to
            `encoder.flip` of the run. Defaults to False.
        judge_epochs: Integer. The number of epochs for which the judge is trained. Defaults to 20.
        judge_floor: Float. The test accuracy below which the judge is not to be trusted. Defaults
            to 0.
    """

    load: Callable | None
    tfds: str | None = None
    title: str = "images"
    licence: str = "as the owner of the images says"
    side: int = 32
    preset: str = "cifar10-small"
    flips: bool | None = False
    judge_epochs: int = 20
    judge_floor: float = 0.0

    def mirrors(self, flip: bool) -> bool:
        """Returns whether a classifier of these images may see mirror images.

        Args:
            flip: Boolean. The run's `encoder.flip`, which decides if `flips` is None.

        Returns:
            Boolean.
        """
        return flip if self.flips is None else self.flips


def load_dataset(
    name: str,
    image_size: int | None = None,
    data_dir: str | os.PathLike | None = None,
    download: bool = False,
    resize: str = "crop",
    skip_unreadable: bool = False,
    cache_dir: str | os.PathLike | None = None,
    labels: str = "given",
) -> ImageDataset:
    """Loads a whole data set into memory.

    Args:
        name: String. One of `DATASETS`.
        image_size: Integer. The side in pixels to which images of another size are resized.
            Defaults to None, the data set's own size, or 32 for `folder`.
        data_dir: Path. For `folder`, the directory with one sub-directory per class, or with images
            alone if `labels` are not used. For TFDS, the directory of its prepared data sets.
            Defaults to None: `TFDS_DATA_DIR`, then `~/tensorflow_datasets`.
        download: Boolean. Whether TFDS may fetch a data set that is not prepared. Otherwise the
            network is never used. Defaults to False.
        resize: String. For `folder`, what is done to an image that is not square: `crop` keeps its
            center, `pad` adds white, `squash` changes its proportions. The images of all other data
            sets are square. Defaults to `crop`.
        skip_unreadable: Boolean. For `folder`, whether to leave out images that cannot be read, and
            to name them in the log. Defaults to False.
        cache_dir: Path. For `folder`, where `ImageDataset.keep` wrote the images. They are read
            from there as long as the folder's files and these arguments are the same. Defaults to
            None.
        labels: String. Which labels the images get, see `ImageDataset.labelled`. Defaults to
            `given`.

    Returns:
        An `ImageDataset`.

    Raises:
        DataError: when the data set is unknown, or its images are missing or cannot be used.
    """
    if name not in list(DATASETS):  # a list, so that an unhashable name gives the same error
        raise DataError(f"`dataset`: unknown data set '{name}'; choose from {', '.join(DATASETS)}")
    if image_size is not None and not (isinstance(image_size, int) and image_size > 0):
        raise DataError(f"`image_size`: {image_size!r} is not a number of pixels above 0")
    reading = {"resize": resize, "skip_unreadable": skip_unreadable, "cache_dir": cache_dir}
    reading["classes"] = labels == "given"
    load = DATASETS[name].load
    assert load is not None  # every row of the table has one
    dataset = load(name, image_size, data_dir, download, **reading)
    if image_size and image_size != dataset.image_shape[0]:
        dataset = dataclasses.replace(
            dataset,
            train_images=_resize(dataset.train_images, image_size),
            test_images=_resize(dataset.test_images, image_size),
        )
    return dataset.labelled(labels)


def info(name: str) -> DatasetInfo:
    """Returns what is known of a data set before its images are loaded.

    Args:
        name: String. A name in `DATASETS`, or any other name for your own images.

    Returns:
        The `DatasetInfo`, which has the defaults for your own images.
    """
    return DATASETS.get(name) or DatasetInfo(load=None, flips=None)


def _load_digits(name, image_size, data_dir, download, **reading):
    """Loads scikit-learn's handwritten digits (UCI optdigits), and tests on every sixth."""
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


def _load_tfds(name, image_size, data_dir, download, **reading):
    import tensorflow_datasets as tfds

    directory = (
        data_dir
        or os.environ.get("TFDS_DATA_DIR")
        or str(pathlib.Path.home() / "tensorflow_datasets")
    )
    directory = os.path.expanduser(directory)
    builder_name = DATASETS[name].tfds
    builder = tfds.builder(builder_name, data_dir=directory, try_gcs=False)
    if not builder.is_prepared():
        if not download:
            raise DataError(
                f"`dataset` {name}: {builder_name} is not prepared in {directory}; name the "
                "folder that holds it with `data_dir`, or fetch it with `download`"
            )
        try:
            builder.download_and_prepare()
        except Exception as error:  # TFDS passes on whatever the network stack raises
            raise DataError(
                f"`download`: could not fetch {builder_name} into {directory}: "
                f"{str(error).splitlines()[0]}"
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


def _load_folder(name, image_size, data_dir, download, **reading):
    if not data_dir:
        raise DataError(
            "`dataset` folder: needs `data_dir`, a directory with one sub-directory of images a "
            "class, or with images alone where `labels` is none"
        )
    folder = read_folder(data_dir, image_size or DATASETS[name].side, **reading)
    images, labels, test = folder.images, folder.labels, folder.in_test
    return ImageDataset(
        name,
        folder.class_names,
        images[~test],
        labels[~test],
        images[test],
        labels[test],
        folder.reading,
    )


def _resize(images, side):
    import tensorflow as tf

    def resized(batch):
        return np.clip(
            np.round(tf.image.resize(batch, (side, side), antialias=True).numpy()), 0, 255
        ).astype(np.uint8)

    return np.concatenate([resized(images[i : i + 1000]) for i in range(0, len(images), 1000)])


DATASETS = {
    "digits": DatasetInfo(
        load=_load_digits,
        title="1,797 handwritten digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten "
        "Digits, as in scikit-learn)",
        licence="CC BY 4.0",
        side=8,
        preset="digits",
        judge_epochs=40,
        judge_floor=0.97,
    ),
    "mnist": DatasetInfo(
        load=_load_tfds,
        tfds="mnist",
        title="70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges)",
        licence="CC BY-SA 3.0",
        side=28,
        preset="mnist",
        judge_epochs=3,
        judge_floor=0.99,
    ),
    "svhn": DatasetInfo(
        load=_load_tfds,
        tfds="svhn_cropped",
        title="cropped digits of house numbers in street photographs (Netzer et al., 2011)",
        licence="non-commercial use only, by its authors' terms",
        preset="svhn",
        judge_epochs=4,
        judge_floor=0.90,
    ),
    "cifar10": DatasetInfo(
        load=_load_tfds,
        tfds="cifar10",
        title="60,000 photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009)",
        licence="none stated by its authors; cite the technical report",
        preset="cifar10",
        flips=True,
        judge_epochs=16,
        judge_floor=0.85,
    ),
    "folder": DatasetInfo(load=_load_folder, title="a folder of images", flips=None),
}
