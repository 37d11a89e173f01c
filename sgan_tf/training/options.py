"""What a training is told besides its images and networks, in two groups of arguments."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from sgan_tf.training.scores import Scoring


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """A preset and what differs from it; they decide which weights a training ends with.

    Args:
        preset: String. A name in `PRESETS`. Defaults to None: whoever takes it chooses.
        epochs: Integer. Epochs of every stage. Defaults to None: the preset's.
        seed: Integer. Seed of weights, noise and the order of images. Defaults to 0.
        overrides: Strings `"dotted.name=value"`, as `"levels.0.z_dim=4"`. Defaults to none.
    """

    preset: str | None = None
    epochs: int | None = None
    seed: int = 0
    overrides: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How a training runs: on what, when it saves and stops, and what it shows on the way.

    Args:
        strategy: `tf.distribute` strategy. The batch size is global and is divided among its
            replicas. Defaults to the current strategy.
        sample_every: Integer. Epochs between two sample grids; 0 for the last epoch alone. Defaults
            to 5.
        checkpoint_minutes: Number. The most work that a killed process loses, in minutes. Defaults
            to 5.
        stop: Function of nothing that tells whether to save and stop. Defaults to never.
        steps_per_call: Integer. Steps between two looks at the clock. Defaults to None: as many as
            fit into a second.
        scoring: `Scoring`. How samples are scored on the way. Defaults to None: not at all.
    """

    strategy: tf.distribute.Strategy = dataclasses.field(default_factory=tf.distribute.get_strategy)
    sample_every: int = 5
    checkpoint_minutes: float = 5
    stop: Callable[[], bool] = lambda: False
    steps_per_call: int | None = None
    scoring: Scoring | None = None
