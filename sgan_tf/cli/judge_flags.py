"""The flag for the folder of cached judges, and the judge of a data set."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from sgan_tf.cli import logs
from sgan_tf.data.datasets import ImageDataset

if TYPE_CHECKING:
    from sgan_tf.evaluation.reference import Reference

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string(
        "cache_dir",
        None,
        "where judges are cached; by default SGAN_TF_CACHE, else ~/.cache/sgan_tf",
    )


def reference(data: dict, flip: bool, dataset: Callable[[], ImageDataset]) -> "Reference":
    """Returns the cached reference of a data set, or makes and caches it.

    If the run does not use labels, this is the reference of the data set with its labels, if it has
    any.

    Args:
        data: Dictionary that `ImageDataset.description` returned.
        flip: Boolean. The run's setting `encoder.flip`.
        dataset: Function without arguments that loads the `ImageDataset`. It is only called if the
            reference is not cached.

    Returns:
        A `Reference`.

    Raises:
        EvaluationError: If the cache cannot be written.
    """
    from sgan_tf.evaluation.reference import load_reference, make_reference

    cached = load_reference(cache(), {**data, **data.get("source", {})}, flip)
    if cached:
        return cached
    loaded = dataset()
    return make_reference(cache(), loaded.source or loaded, logs.progress, flip)


def cache() -> str | os.PathLike:
    """Returns the folder for judges and for downloads of the evaluation."""
    from sgan_tf.evaluation.reference import default_cache

    return FLAGS.cache_dir or default_cache()
