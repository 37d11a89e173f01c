"""Scores of samples while a stage is trained, which show whether more training is worth it."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from sgan_tf.evaluation.judge import judged
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.scores import Score, to_json
from sgan_tf.typing import Logs


@dataclasses.dataclass(frozen=True)
class Scoring:
    """How samples are scored during training.

    Attributes:
        reference: `Reference`. The reference of the data set.
        every: Integer. The number of epochs between two measurements. The last epoch of a stage is
            always measured. Defaults to 1.
        samples: Integer. The number of samples per measurement, which is part of the scores' names.
            Defaults to 5,000.
    """

    reference: Reference
    every: int = 1
    samples: int = 5000

    def rows(self, count: int) -> np.ndarray:
        """Chooses at random the training images whose features or labels are the conditions.

        If there are fewer images than samples, images are used several times.

        Args:
            count: Integer. The number of training images.

        Returns:
            Integer `np.ndarray` `[samples]` in [0, count).
        """
        return np.resize(np.random.default_rng(0).permutation(count), self.samples)

    def scores(self, images: np.ndarray) -> list[Score]:
        """Scores images as `evaluate` does, by three of its metrics.

        Args:
            images: float32 `np.ndarray` `[samples, H, W, C]` in [0, 1]. The samples.

        Returns:
            List of `Score`: `fcd_train`, `precision` and `recall`.
        """
        train = self.reference.train_features
        _, features = judged(self.reference.judge, np.round(255 * images).astype(np.uint8))
        real = train[self.rows(len(train))[: min(len(train), len(features))]]
        precision, recall = precision_recall(real, features[: len(real)])
        values = {
            "fcd_train": frechet_distance(train, features),
            "precision": precision,
            "recall": recall,
        }
        by_views = not self.reference.labelled
        return [Score(k, v, len(images), by_views=by_views) for k, v in values.items()]


class SampleScores(keras.callbacks.Callback):
    """Adds the scores of samples to an epoch's metrics.

    Args:
        scoring: `Scoring`. How samples are scored.
        epochs: Integer. The number of epochs of the stage.
        draw: Function without arguments that returns the samples, float32 `[samples, H, W, C]` in
            [0, 1].
    """

    def __init__(self, scoring: Scoring, epochs: int, draw: Callable[[], np.ndarray]) -> None:
        super().__init__()
        self.scoring, self.epochs, self.draw = scoring, epochs, draw

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if epoch + 1 == self.epochs or (epoch + 1) % self.scoring.every == 0:
            logs.update(to_json(self.scoring.scores(self.draw())))
