"""`load`: a trained stack out of whatever holds one, for whatever uses one."""

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

NOTES = "notes.md"  # in a run folder: what its user wrote of the training

log = logging.getLogger("sgan_tf")


class LoadError(UserError):
    """Nothing that holds a trained stack; the message names it and says what does."""


def load(
    source: str | os.PathLike,
    as_is: bool = False,
    build: Callable | None = None,
    precision: str = "float32",
) -> StackedGAN | saved_model.SavedModelSampler:
    """Loads a trained stack; neither the images nor the training are needed.

    Args:
        source: One of

            * the name of a stack that comes with the package, as in `list_pretrained`; a folder of
              the same name is `./name`, or a `pathlib.Path`
            * a run folder, written by `train.py`, in which at least all levels are trained
            * a folder that `save` wrote
            * `hf://user/name`, such a folder on the Hugging Face Hub (extra: `hub`)
            * an export: its version's folder, or that of its versions, of which the highest counts

        as_is: Of a run, take stages that are not finished too, as their last checkpoints hold them.
        build: Of a run, what made its networks: the function that was handed to `Pipeline`, if any.
        precision: What convolutions and large matrices compute in, float32 or bfloat16; weights are
            float32 whatever they were trained in. An export computes in its own.

    Returns:
        A `StackSampler`: a `StackedGAN`, of a run's joint stage if that is finished, or of an
        export a `SavedModelSampler`. All but an export are data alone: loading them runs no code of
        theirs, and a SavedModel is a program of TensorFlow's operations. A run that inverts a
        classifier with `custom_objects` imports the modules that its configuration names.

    Raises:
        LoadError: when there is no such thing, or an argument is not for it.
        RunError: when a folder is no run or is not trained so far.
        CheckpointError, SavedError, SavedModelError: when a file is damaged, of a newer version, or
            does not fit the networks.
        HubError: when the Hub does not give the folder.

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
    """Loads the stack that a run folder holds, and what the folder says of its training.

    Arguments, result and errors as in `load`.
    """
    run, trained = Run(run_dir), read_config(run_dir)
    config = dataclasses.replace(trained, precision=precision)
    progress = {name: run.progress(name) for name in config.stages()}
    usable = {name: p.done or (as_is and p.step > 0) for name, p in progress.items()}
    joint = usable.get("joint", False)
    for name in usable:
        # The joint stage holds every level, so that levels without epochs of their own do without.
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
    if stack.recipe is not None or build is None:  # else its networks may be of any form
        stack_folder.remember(stack, _told(run, trained))
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


def _told(run, config):
    """What a run says of its training; less where a file of it is damaged, which none needs."""
    try:
        return training_facts(run, config)
    except RunError as error:
        log.warning("%s", error)
        return {"data": run.data()}


def training_facts(run: Run, config: Config) -> dict:
    """Returns what a run folder says of its training, as plain values.

    Args:
        run, config: The `Run` and its `Config`.

    Returns:
        Data set, checksums of the weights, metrics (scores only where they are of these weights),
        versions, stages that are not finished, and the folder's `notes.md`.

    Raises:
        RunError: when a file of the run is missing or damaged.
    """
    last = {line["stage"]: line for line in run.metrics.read()}
    metrics = {"encoder": run.read_facts("encoder.json"), "last_epoch": last}
    weights = run.weights(config)
    if (run.path / "evaluation" / "metrics.json").exists():
        scores = run.read_facts("evaluation/metrics.json")
        if scores.get("weights") == weights:  # else they are another model's
            metrics["evaluation"] = scores
    return {
        "data": run.data(),
        "weights": weights,
        "metrics": metrics,
        "versions": run.read_facts("versions.json"),
        "unfinished": run.unfinished(config),
        "notes": _notes(run.path / NOTES),
    }
