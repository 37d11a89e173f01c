"""`save`: writes a trained stack as a folder with a model card, on this machine or on the Hub."""

import contextlib
import os
import pathlib
import shutil
import tempfile

import numpy as np

from sgan_tf.evaluation.metrics import read
from sgan_tf.evaluation.scores import to_json
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.saving import hub, stack_folder
from sgan_tf.saving.card import saved_card
from sgan_tf.saving.stack_folder import SavedError
from sgan_tf.utils.files import PARTIAL

TRIED = 100  # number of samples on which the written stack is tested
MOST_OFF = 0.05  # largest mean difference of pixels that can come from rounding


def save(stack: StackedGAN, target: str | os.PathLike, dtype: str = "float16") -> None:
    """Writes a trained stack as data that `load` reads: weights, configuration, facts and a card.

    The folder holds everything that sampling, decoding and inferring noise need; see the module
    `stack_folder`. It is read back and tested on 100 samples before it is kept. Facts about the
    training that `load` found, such as scores, are written too, unless the weights have changed
    since.

    Args:
        stack: `StackedGAN`. Its networks must come from `build`, as those of a stack that `load`
            returns do.
        target: String or path. A folder that does not exist yet, or `hf://user/name`, where a new
            version is committed (this needs the extra `hub` and uses the token of huggingface_hub).
        dtype: String. Data type of the weights, `"float16"` or `"float32"`. Defaults to
            `"float16"`.

    Raises:
        SavedError: If the stack cannot be rebuilt, or the folder exists or cannot be written.
        HubError: If the Hub does not accept the stack.

    Example:

    >>> import tempfile
    >>> from sgan_tf import load, save
    >>> folder = tempfile.mkdtemp() + "/mine"
    >>> save(load("digits"), folder)
    >>> load(folder).class_names[7]
    '7'
    """
    if getattr(stack, "recipe", None) is None:
        raise SavedError(
            "`stack`: its networks are not those of a configuration, so they cannot be rebuilt; "
            'keep them with `stack.save("name.keras")`, Keras\'s own'
        )
    if dtype not in stack_folder.DTYPES:
        raise SavedError(f"`dtype`: {dtype} is not one of {', '.join(stack_folder.DTYPES)}")
    if str(target).startswith(hub.SCHEME):
        with tempfile.TemporaryDirectory() as folder:
            _write(pathlib.Path(folder), stack, str(target).rpartition("/")[2], dtype)
            hub.upload(folder, str(target))
    else:
        target = pathlib.Path(target)
        with _whole(target) as folder:
            _write(folder, stack, target.resolve().name, dtype)


def _write(folder, stack, name, dtype):
    metadata = stack_folder.write(folder, stack, _published(stack_folder.remembered(stack)), dtype)
    off = _differences(stack, stack_folder.read(folder))
    if not off.mean() <= MOST_OFF:
        raise SavedError(
            "`stack`: what its configuration builds gives other images, so it cannot be rebuilt"
        )
    card = saved_card(name, stack.recipe, metadata, off)
    (folder / stack_folder.CARD).write_text(card)


def _differences(stack, other):
    """Returns how two stacks' samples of the same noise differ, `[TRIED, H, W, C]` in [0, 1]."""
    labels = np.arange(TRIED) % len(stack.class_names)
    noise = stack.noise(TRIED, seed=0)
    return np.abs(stack.decode(labels, noise) - other.decode(labels, noise))


def _published(training):
    """Returns the facts about a training to publish: no paths, and no scores of single classes."""
    metrics = dict(training.get("metrics", {}))
    if evaluation := metrics.pop("evaluation", None):
        kept = ("settings", "judge", "class_counts")
        told = {name: evaluation[name] for name in kept if name in evaluation}
        for which in ("samples", "real"):
            scores = read(evaluation[which])
            told[which] = to_json([score for score in scores if score.class_name is None])
        metrics["evaluation"] = told
    return {**training, **({"metrics": metrics} if metrics else {})}


@contextlib.contextmanager
def _whole(target):
    """Yields a temporary folder, which is renamed to `target` if the block succeeds."""
    if target.exists():
        raise SavedError(f"`target`: {target} exists already; choose another folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
        try:
            partial.chmod(0o755)
            yield partial
            os.rename(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise SavedError(f"`target`: cannot write to {target}: {reason}") from error
