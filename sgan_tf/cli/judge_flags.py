"""The flag of where judges are cached, and how the judge of a data set is got there."""

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
    """Returns a data set's `Reference`: the cached one, or one that is made and cached.

    Where labels are not used, it is that of the data set with its own labels, if it has any.

    Args:
        data: `ImageDataset.description()`.
        flip: The run's `encoder.flip`.
        dataset: Function of nothing that loads the images; not called where the cache has all.

    Raises:
        EvaluationError: when the cache cannot be written.
    """
    from sgan_tf.evaluation.reference import load_reference, make_reference

    known = load_reference(cache(), {**data, **data.get("source", {})}, flip)
    if known:
        return known
    loaded = dataset()
    return make_reference(cache(), loaded.source or loaded, logs.progress, flip)


def cache() -> str | os.PathLike:
    """Returns the folder of the judges, and of what else evaluation fetches."""
    from sgan_tf.evaluation.reference import default_cache

    return FLAGS.cache_dir or default_cache()
