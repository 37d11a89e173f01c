"""The flags that say which images are read and how, for all programs that read images."""

import logging
import os

from absl import flags

from sgan_tf.cli import app
from sgan_tf.config.schema import Config
from sgan_tf.data.datasets import DATASETS, ImageDataset, load_dataset
from sgan_tf.data.decoding import RESIZES
from sgan_tf.data.folder import holds_classes
from sgan_tf.errors import DataError, RunError
from sgan_tf.runs.run import Run

FLAGS = flags.FLAGS
CACHE = "cache"  # subfolder of the run folder for the images of an image folder
NAMES = ("dataset", "data_dir", "download", "image_size", "resize", "skip_unreadable", "flip")
OWN = ("resize", "skip_unreadable", "flip")  # flags for your own images
log = logging.getLogger("sgan_tf")


def define_place_flags() -> None:
    """Defines the flags that say where images are. The run's data.json holds the rest."""
    flags.DEFINE_string(
        "data_dir",
        None,
        "where TFDS keeps its data sets; for folder, a directory with one sub-directory a class, "
        "or without labels with images alone",
    )
    flags.DEFINE_bool("download", False, "fetch a TFDS data set that is not prepared")


def define_flags(dataset: str | None) -> None:
    """Defines all flags.

    Args:
        dataset: String. The default of --dataset; None if it follows from --preset.
    """
    by_preset = "" if dataset else "; by default the one that the preset is named after"
    flags.DEFINE_string("dataset", dataset, ", ".join(DATASETS) + by_preset)
    define_place_flags()
    flags.DEFINE_integer(
        "image_size",
        None,
        "side of the images in pixels; by default the data set's own, 32 for folder",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "resize",
        "crop",
        RESIZES,
        "for folder, what is done to images that are not square: crop to the centre, pad with "
        "white, or squash",
    )
    flags.DEFINE_bool(
        "skip_unreadable", False, "for folder, pass over images that cannot be read, naming them"
    )
    flags.DEFINE_bool(
        "flip",
        None,
        "for folder, mirror half of the images that classifiers train on; not for letters, whose "
        "mirror images are none; by default off",
    )


def overrides() -> list[str]:
    """Returns the settings of --flip as strings `name=value`, as for --set."""
    names = [] if FLAGS.flip is None else ["encoder.flip", "flip"]
    return [f"{name}={str(FLAGS.flip).lower()}" for name in names]


def check_flags(dataset: str) -> None:
    """Checks that flags for your own images are only used with --dataset folder.

    Args:
        dataset: String. Name of the data set.

    Raises:
        UsageError: If they are used with another data set.
    """
    own = [name for name in OWN if FLAGS[name].present]
    if own and dataset != "folder":
        raise app.UsageError(
            f"--{own[0]}: is for images of your own, and the data set is {dataset}; add --dataset "
            "folder"
        )
    reads_none = dataset != "folder" and not DATASETS[dataset].tfds
    if reads_none and FLAGS.data_dir and holds_classes(FLAGS.data_dir):
        raise app.UsageError(
            f"--data_dir: {FLAGS.data_dir} holds folders of images, and data set {dataset} reads "
            "none; add --dataset folder"
        )


def load(config: Config, cache_dir: str | os.PathLike) -> ImageDataset:
    """Loads the images of a configuration as the flags say.

    Args:
        config: `Config`.
        cache_dir: String or path. The folder in which `ImageDataset.keep` stores the images of an
            image folder.

    Returns:
        An `ImageDataset`.

    Raises:
        DataError: If the images are missing or unusable; see `load_dataset`.
    """
    reading = {"resize": FLAGS.resize, "skip_unreadable": FLAGS.skip_unreadable}
    dataset = _load(config, cache_dir, reading)
    if config.dataset == "folder" and config.encoder.epochs:
        how = "mirrors half of the images (--flip)" if config.encoder.flip else "mirrors no image"
        log.info("the encoder %s", how)
    return dataset


def load_again(config: Config, run: Run) -> ImageDataset:
    """Loads the images of a run again.

    The flags say where they are, and the run's data.json says how to read them.

    Args:
        config: `Config` of the run.
        run: `Run`. The images of an image folder are cached in it.

    Returns:
        An `ImageDataset`.

    Raises:
        DataError: If the images are missing, unusable, or not those of the run.
        RunError: If the run's data.json is missing or damaged.
    """
    data = run.data()
    reading = data.get("reading", {})
    if not isinstance(reading, dict) or not set(reading) <= set(OWN):
        raise RunError(
            f"`run_dir`: {run.path}/data.json is damaged (reading is {reading}); remove it and run "
            "train.py again, which writes it anew"
        )
    dataset = _load(config, run.path / CACHE, reading)
    if config.classifier is not None and len(data["class_names"]) == dataset.num_classes:
        dataset = dataset.named(data["class_names"])
    if not dataset.matches(data):
        raise DataError(
            "`data_dir`: these are other images than the run was trained on (see data.json in "
            f"{run.path})"
        )
    dataset.keep(run.path / CACHE)
    return dataset


def _load(config, cache_dir, reading):
    return load_dataset(
        config.dataset,
        config.image_size,
        FLAGS.data_dir,
        FLAGS.download,
        cache_dir=cache_dir,
        labels=config.labels,
        **reading,
    )
