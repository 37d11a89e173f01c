"""`load`: a trained stack from a run folder, for whatever uses one."""

import dataclasses
from collections.abc import Callable

from sgan_tf.classifiers import builder
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.run import Run, RunError, read_config


def load(
    run_dir,
    as_is: bool = False,
    build: Callable | None = None,
    precision: str = "float32",
) -> StackedGAN:
    """Loads the stack that a run folder holds; neither the images nor the training are needed.

    Args:
        run_dir: A folder written by `train.py`, in which at least all levels are trained.
        as_is: Take stages that are not finished too, as their last checkpoints hold them.
        build: What made the networks: the function that was handed to `Pipeline`, if any.
        precision: What convolutions and large matrices compute in, float32 or bfloat16; weights are
            float32 whatever they were trained in.

    Returns:
        A `StackedGAN`, of the joint stage if that is finished.

    Raises:
        RunError: when the folder is no run or is not trained so far.
        CheckpointError: when a checkpoint is damaged or does not fit the networks.
    """
    run, config = Run(run_dir), dataclasses.replace(read_config(run_dir), precision=precision)
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
    build = build or builder(run)
    encoder, stack = build(config, tuple(data["image_shape"]), data["class_names"], joint=joint)
    run.checkpoint("encoder").load(encoder.networks())
    encoder.trainable = False
    if joint:
        run.checkpoint("joint").load(stack.networks())
    else:
        for level in stack.levels:
            run.checkpoint(f"level{level.index}").load(level.networks())
    return stack
