"""`load`: loads a trained stack from a run, a saved stack, the Hub or an export."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable

from sgan_tf.config.schema import Config
from sgan_tf.errors import RunError, UserError, first_line, shown
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.runs.classifier_copy import builder
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run
from sgan_tf.saving import hub, pretrained, saved_model, stack_folder

NOTES = "notes.md"  # file in a run folder: the user's notes on the training

log = logging.getLogger("sgan_tf")


class LoadError(UserError):
    """Raised if a source holds no trained stack. The message names the source and says why."""


def load(
    source: str | os.PathLike,
    as_is: bool = False,
    build: Callable | None = None,
    precision: str = "float32",
) -> StackedGAN | saved_model.SavedModelSampler:
    """Loads a trained stack, without the training images.

    All sources except exports hold only data, and loading them runs no code from them. A SavedModel
    is a program of TensorFlow operations. A run that inverts a classifier with `custom_objects`
    imports the modules that its configuration names.

    Args:
        source: String or path. One of

            * the name of a stack that comes with the package; see `list_pretrained`. To load a
              folder of the same name, write `./name` or pass a `pathlib.Path`
            * a run folder, written by `train.py`, in which at least all levels are trained
            * a folder that `save` wrote
            * `hf://user/name`, such a folder on the Hugging Face Hub (extra: `hub`)
            * an export: the folder of a version, or the folder of its versions, of which the
              highest is loaded

        as_is: Boolean. Whether stages of a run that are not finished are loaded from their last
            checkpoints. Defaults to False.
        build: Function or None. The function that was passed to `Pipeline` to build the run's
            networks, if any. Defaults to None.
        precision: String. `"float32"` or `"bfloat16"`, in which convolutions and large matrix
            products are computed. The weights are float32 whatever they were trained in. An export
            computes in the precision it was exported with. Defaults to `"float32"`.

    Returns:
        A `StackSampler`. It is a `SavedModelSampler` for an export, otherwise a `StackedGAN`. The
        stack of a run is that of the joint stage if it is finished.

    Raises:
        LoadError: If the source is not found, or an argument does not apply to it.
        RunError: If a folder is not a run, or its levels are not trained.
        CheckpointError: If a checkpoint of a run is damaged or does not fit the networks.
        SavedError: If a file of a saved stack is damaged, of a newer version, or does not fit the
            networks.
        SavedModelError: If a file of an export is missing or damaged.
        HubError: If the Hub does not return the folder.

    Example:

    >>> from sgan_tf import load
    >>> load("digits").sample([3, 3, 7], seed=1).shape
    (3, 8, 8, 1)
    """
    name, path = str(source), pathlib.Path(source)
    known = pretrained.names()
    comes_along = isinstance(source, str) and name in known
    if comes_along or name.startswith(hub.SCHEME) or stack_folder.holds_stack(path):
        _only_for_runs(name, as_is=as_is, build=build is not None)
        folder: str | os.PathLike = pretrained.FOLDER / name if comes_along else path
        folder = hub.download(name) if name.startswith(hub.SCHEME) else folder
        return stack_folder.read(folder, precision)
    if export := saved_model.find(path):
        _only_for_runs(name, as_is=as_is, build=build is not None, precision=precision != "float32")
        return saved_model.SavedModelSampler(export)
    if not path.exists():
        raise LoadError(
            f"`source`: {shown(source)} is neither a folder nor one of the stacks that come with "
            f"the package ({', '.join(known)})"
        )
    return load_run(path, as_is, build, precision)


def _only_for_runs(name, **given):
    for argument, is_given in given.items():
        if is_given:
            raise LoadError(f"`{argument}`: is for run folders, and {shown(name)} is none")


def load_run(
    run_dir: str | os.PathLike,
    as_is: bool = False,
    build: Callable | None = None,
    precision: str = "float32",
) -> StackedGAN:
    """Loads the stack of a run folder, with the facts about its training.

    Args:
        run_dir: String or path. The run folder.
        as_is: Boolean. See `load`. Defaults to False.
        build: Function or None. See `load`. Defaults to None.
        precision: String. See `load`. Defaults to `"float32"`.

    Returns:
        `StackedGAN`. The stack of the joint stage if that is finished, otherwise of the levels.

    Raises:
        RunError: If the folder is not a run, or its levels are not trained.
        CheckpointError: If a checkpoint is damaged or does not fit the networks.
    """
    run, trained = Run(run_dir), read_config(run_dir)
    config = dataclasses.replace(trained, precision=precision)
    progress = {name: run.progress(name) for name in config.stages()}
    usable = {name: p.done or (as_is and p.step > 0) for name, p in progress.items()}
    joint = usable.get("joint", False)
    for name in usable:
        # The joint stage holds every level, so levels that are trained only in it need no other.
        missing = not usable[name] and name != "joint"
        if missing or (not joint and "level0" not in usable):
            raise RunError(
                f"`run_dir`: {run_dir} is not trained: {name if missing else 'joint'} is not "
                "finished; run train.py again to resume it"
            )
    data = run.data()
    make = build or builder(run)
    encoder, stack = make(config, tuple(data["image_shape"]), data["class_names"], joint=joint)
    run.checkpoint("encoder").load(encoder.networks())
    encoder.trainable = False
    if joint:
        run.checkpoint("joint").load(stack.networks())
    else:
        for level in stack.levels:
            run.checkpoint(f"level{level.index}").load(level.networks())
    if stack.recipe is not None:
        stack.recipe = trained
    if stack.recipe is not None or build is None:  # otherwise its networks may have any form
        stack_folder.remember(stack, _known_facts(run, trained))
    return stack


def _notes(path):
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(
            f"`run_dir`: {path} cannot be read ({first_line(error)}); mend or remove it"
        ) from error


def _known_facts(run, config):
    """Returns the facts about a run's training; only the data if an optional file is damaged."""
    try:
        return training_facts(run, config)
    except RunError as error:
        log.warning("%s", error)
        return {"data": run.data()}


def training_facts(run: Run, config: Config) -> dict:
    """Returns the facts about a run's training.

    Args:
        run: `Run`. The run folder.
        config: `Config`. The run's configuration.

    Returns:
        Dict of plain values: the data set, checksums of the weights, metrics (with scores only if
        they were measured on these weights), versions, stages that are not finished, and the text
        of `notes.md`.

    Raises:
        RunError: If a file of the run is missing or damaged.
    """
    last = {line["stage"]: line for line in run.metrics.read()}
    metrics = {"encoder": run.read_facts("encoder.json"), "last_epoch": last}
    weights = run.weights(config)
    if (run.path / "evaluation" / "metrics.json").exists():
        scores = run.read_facts("evaluation/metrics.json")
        if scores.get("weights") == weights:  # otherwise they belong to another model
            metrics["evaluation"] = scores
    return {
        "data": run.data(),
        "weights": weights,
        "metrics": metrics,
        "versions": run.read_facts("versions.json"),
        "unfinished": run.unfinished(config),
        "notes": _notes(run.path / NOTES),
    }
