"""Takes over the trained encoder of another run instead of training one."""

import copy
import json
import os
import pathlib
from collections.abc import Iterable

import numpy as np

from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError, validate
from sgan_tf.data.batches import steps_per_epoch
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.errors import RunError, UserError
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run

RECORD = "encoder_from.json"  # in a run folder: the run that its encoder comes from


def with_encoder(
    config: Config, source: str | os.PathLike, overrides: Iterable[str] = ()
) -> Config:
    """Returns a configuration with the encoder settings of another run.

    Args:
        config: `Config`. The configuration that is changed in a copy.
        source: Path. The folder of a run of any version, whose encoder is trained.
        overrides: Iterable of strings. The settings `"dotted.name=value"` that `config` was made
            with. Defaults to none.

    Returns:
        A `Config`.

    Raises:
        RunError: when `source` is no run or inverts your own classifier, its encoder is not
            finished, or it was trained on images of another size or with other labels.
        ConfigError: when an override asks for another encoder.
    """
    theirs = _read_source(read_config, source)
    if theirs.classifier is not None:
        raise RunError(
            f"`encoder_from`: {source} inverts a classifier of one's own; give that to `encoder`"
        )
    if not Run(source).progress("encoder").done:
        raise RunError(
            f"`encoder_from`: {source} is not trained: encoder is not finished; run train.py there "
            "again to resume it"
        )
    if theirs.labels != config.labels:
        raise RunError(
            f"`encoder_from`: the encoder of {source} was trained with `labels` {theirs.labels}, "
            f"and this run is to have {config.labels}; give both the same"
        )
    side, wanted = theirs.image_size, config.image_size
    if side != wanted:
        raise RunError(
            f"`encoder_from`: the encoder of {source} sees images of {side} x {side} pixels, not "
            f"{wanted} x {wanted}; change `image_size` or the data set"
        )
    for name in (override.partition("=")[0].split(".") for override in overrides):
        if name[0] == "encoder":
            ours, other = (getattr(c.encoder, name[1]) for c in (config, theirs))
            if ours != other:
                raise ConfigError(
                    f"`set`: encoder.{name[1]}={ours} is not what the encoder of {source} has, "
                    f"{other}; leave it out, or leave out `encoder_from`"
                )
    changed = copy.deepcopy(config)
    changed.encoder = theirs.encoder
    validate(changed)
    return changed


def check_images(source: str | os.PathLike, dataset: ImageDataset) -> None:
    """Checks that a run was trained on the images of a data set.

    Args:
        source: Path. The run folder.
        dataset: `ImageDataset`. The images.

    Raises:
        RunError: when the run was trained on other images.
    """
    theirs, ours = _read_source(lambda path: Run(path).data(), source), dataset.description()
    for key, what in (
        ("class_names", "its classes are others"),
        ("image_shape", "its images have another shape"),
        ("crc32", "their checksums differ"),
    ):
        if theirs.get(key) != ours[key]:
            raise RunError(
                f"`encoder_from`: {source} was trained on other images than these ({what}, see "
                "data.json in it); choose another run, or train an encoder"
            )


def take_encoder(run: Run, source: str | os.PathLike, dataset: ImageDataset) -> None:
    """Makes another run's encoder the finished encoder stage of a run.

    A second call changes nothing. The cuts may differ, as a checkpoint holds the encoder's
    variables in the order of its layers.

    Args:
        run: `Run`. The opened run, with the configuration that `with_encoder` returned.
        source: Path. The folder of the other run.
        dataset: `ImageDataset`. The images of both runs.

    Raises:
        RunError: when the run has another encoder already, finished or not.
        CheckpointError: when a checkpoint is damaged.
    """
    target, theirs = run.checkpoint("encoder"), Run(source).checkpoint("encoder")
    networks = _networks(theirs)
    if target.path.exists():
        if not target.progress().done or not _equal(_networks(target), networks):
            raise RunError(
                f"`encoder_from`: {run.path} has an encoder already that is not the one of "
                f"{source}; choose another `run_dir`, or `overwrite` it"
            )
    elif run.writes:
        path = str(pathlib.Path(source).resolve())
        record = {"run_dir": path, "weights": theirs.checksum()}
        run.write(RECORD, json.dumps(record, indent=2) + "\n")
        steps = steps_per_epoch(len(dataset.train_images), run.config.batch_size)
        target.take(networks, run.config.encoder.epochs * steps, run.config.to_json())


def _read_source(read, source):
    """Reads a run folder, and names the parameter `encoder_from` in the errors."""
    try:
        return read(source)
    except UserError as error:
        raise RunError(str(error).replace("`run_dir`", "`encoder_from`")) from error


def _networks(checkpoint):
    """Returns the arrays of the networks without the optimizer's, `{key: array}`."""
    return {k: array for k, array in checkpoint.read()[1].items() if k.startswith("encoder/")}


def _equal(some, others):
    return some.keys() == others.keys() and all(
        np.array_equal(array, others[key]) for key, array in some.items()
    )
