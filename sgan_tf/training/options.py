"""The settings of a training besides its images and networks, in two groups of arguments."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from sgan_tf.training.scores import Scoring


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """A preset and what differs from it, which determine the weights that training ends with.

    Args:
        preset: String. A name in `PRESETS`. Defaults to None, the preset that the function which
            takes these hyperparameters chooses.
        epochs: Integer. The number of epochs of every stage. Defaults to None, the preset's.
        seed: Integer. The seed of weights, noise and the order of images. Defaults to 0.
        overrides: Sequence of strings. Settings `"dotted.name=value"`, for example
            `"levels.0.z_dim=4"`. Defaults to none.
    """

    preset: str | None = None
    epochs: int | None = None
    seed: int = 0
    overrides: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How a training runs: on which devices, when it saves and stops, and what it shows meanwhile.

    Args:
        strategy: `tf.distribute` strategy. The batch size is global and is divided among its
            replicas. Defaults to the current strategy.
        sample_every: Integer. The number of epochs between two sample grids. 0 draws only the last
            epoch's. Defaults to 5.
        checkpoint_minutes: Float. The most work that a killed process loses, in minutes. Defaults
            to 5.
        stop: Function without arguments that returns whether to save and stop. Defaults to a
            function that never stops.
        steps_per_call: Integer. The number of steps between two checks of the clock and of `stop`.
            Defaults to None, as many as fit into a second.
        scoring: `Scoring`. How samples are scored during training. Defaults to None, no scores.
    """

    strategy: tf.distribute.Strategy = dataclasses.field(default_factory=tf.distribute.get_strategy)
    sample_every: int = 5
    checkpoint_minutes: float = 5
    stop: Callable[[], bool] = lambda: False
    steps_per_call: int | None = None
    scoring: Scoring | None = None
