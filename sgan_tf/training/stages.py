"""The stages of training as objects: their base class, a level alone, and all levels jointly."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.config.schema import Config
from sgan_tf.data.batches import steps_per_epoch
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.models.build import stage_seed
from sgan_tf.models.encoder.encoder import Encoder
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.optimizers import optimizer_pair
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.models.trainable import TrainedModel
from sgan_tf.runs.run import Run
from sgan_tf.training.callbacks import AverageStatistics, SampleGrid
from sgan_tf.training.monitor import CollapseMonitor
from sgan_tf.training.scores import SampleScores, Scoring
from sgan_tf.utils.images import class_rows, image_grid

GRID_COLUMNS = 10
FEATURE_BATCH = 500
REFRESH_ROWS = 1000  # rows of the batch on which averaged generators measure their statistics


class Material:
    """What the stages of a run share: images, networks, and the frozen encoder's features.

    Args:
        config: `Config`. The configuration of the run.
        run: `Run`. The opened run.
        dataset: `ImageDataset`. The images.
        build: Function `(config, image_shape, class_names, mean=None, joint=False)` that returns
            `(encoder, stack)`.
        scoring: `Scoring`. How samples are scored during training. Defaults to None, no scores.

    Attributes:
        encoder: `Encoder`, as far as it is trained.
        stack: `StackedGAN`, as far as it is trained.
    """

    def __init__(
        self,
        config: Config,
        run: Run,
        dataset: ImageDataset,
        build: Callable,
        scoring: Scoring | None = None,
    ) -> None:
        self.config, self.run, self.dataset, self.scoring = config, run, dataset, scoring
        self._build = build
        self._real: list[np.ndarray] | None = None
        self._mirrored: list[np.ndarray] | None = None
        self.encoder, self.stack = self.networks()

    def networks(self, joint: bool = False) -> tuple[Encoder, StackedGAN]:
        """Builds new, untrained networks.

        Args:
            joint: Boolean. Whether they are for the joint stage. Defaults to False.

        Returns:
            `(encoder, stack)`.
        """
        data, mean = self.dataset, None
        if self.config.encoder.subtract_mean:
            mean = data.train_images.mean(0, dtype=np.float64) / 255
        return self._build(self.config, data.image_shape, data.class_names, mean=mean, joint=joint)

    def seed(self, name: str) -> int:
        """Returns the seed of a stage's noise and order of images.

        Args:
            name: String. The name of the stage.

        Returns:
            Integer.
        """
        return stage_seed(self.config.seed, name)

    def real_features(self) -> list[np.ndarray]:
        """Returns `[h_0, …, h_{N-1}]` of the training images, for which the encoder is frozen."""
        if self._real is None:
            self._real = self._features(self.dataset.train_images)
        return self._real

    def mirrored_features(self) -> list[np.ndarray] | None:
        """Returns `[h_0, …, h_{N-1}]` of the mirror images; None if levels do not see them."""
        if self._mirrored is None and self.config.flip:
            self._mirrored = self._features(self.dataset.train_images[:, :, ::-1])
        return self._mirrored

    def _features(self, images):
        features = tf.function(lambda batch: self.encoder.features(batch)[:-1])
        parts = [
            features(tf.constant(images[i : i + FEATURE_BATCH]))
            for i in range(0, len(images), FEATURE_BATCH)
        ]
        levels = [np.concatenate([h.numpy() for h in level]) for level in zip(*parts)]
        return [images, *levels]

    def steps(self, epochs: int) -> int:
        """Returns the number of steps of a number of epochs.

        Args:
            epochs: Integer. The number of epochs.

        Returns:
            Integer.
        """
        return epochs * steps_per_epoch(len(self.dataset.train_images), self.config.batch_size)


class Stage:
    """A part of training, from its model to the files that it writes to the run folder.

    Args:
        material: `Material`. What the stages of the run share.
        name: String. The name of the stage and of its checkpoint.
        epochs: Integer. The number of epochs for which it is trained.
        needs: Sequence of strings. The names of the stages that have to be finished before it.
            Defaults to none.
    """

    def __init__(
        self, material: Material, name: str, epochs: int, needs: Sequence[str] = ()
    ) -> None:
        self.material, self.name, self.epochs, self.needs = material, name, epochs, tuple(needs)

    def prepare(self) -> TrainedModel:
        """Returns the stage's model, compiled, in the strategy's scope."""
        raise NotImplementedError

    def arrays(self) -> list[np.ndarray]:
        """Returns the arrays that the model is trained on: its inputs, then the labels."""
        raise NotImplementedError

    def augmentation(self) -> dict:
        """Returns the options of `batches` that change the stage's images."""
        return {}

    def adapt(self, model: Any) -> None:
        """Adapts the model to statistics of the data before it is trained.

        Args:
            model: `TrainedModel`. What `prepare` returned.
        """

    def settle(self, model: Any) -> None:
        """Makes the last changes to the trained weights before they are saved as finished.

        Args:
            model: `TrainedModel`. The trained model.
        """

    def callbacks(self, model: Any, sample_every: int) -> list[keras.callbacks.Callback]:
        """Returns the callbacks of the stage, besides those of the log and of the progress.

        Args:
            model: `TrainedModel`. What `prepare` returned.
            sample_every: Integer. The number of epochs between two sample grids. 0 draws only the
                last epoch's.

        Returns:
            List of Keras callbacks.
        """
        return []

    def finish(self, model: Any) -> None:
        """Passes the trained model on, and writes the stage's files if they are missing.

        Args:
            model: `TrainedModel`. The trained model.
        """


class LevelStage(Stage):
    """Trains one level alone on the encoder's features of real images.

    Args:
        material: `Material`. What the stages of the run share.
        index: Integer. The index of the level.
    """

    def __init__(self, material: Material, index: int) -> None:
        super().__init__(
            material, f"level{index}", material.config.levels[index].epochs, ["encoder"]
        )
        self.index = index

    def prepare(self) -> LevelGAN:
        level = self.material.stack.levels[self.index]
        settings = self.material.config.levels[self.index].optimizer
        level.compile(**optimizer_pair(settings, self.material.steps(self.epochs)))
        return level

    def arrays(self) -> list[np.ndarray]:
        return self._rows(self.material.real_features())

    def augmentation(self) -> dict:
        mirrored = self.material.mirrored_features()
        return {"mirrored": self._rows(mirrored)} if mirrored else {}

    def _rows(self, features):
        return [*features[self.index : self.index + 2], self.material.dataset.train_labels]

    def adapt(self, model: LevelGAN) -> None:
        _adapt([model], self.material)

    def callbacks(self, model: LevelGAN, sample_every: int) -> list[keras.callbacks.Callback]:
        stack = self.material.stack
        return _sample_callbacks(self, model, [model], model.index, stack, sample_every)


class JointStage(Stage):
    """Trains all levels end to end, starting from the weights that they have reached alone.

    Args:
        material: `Material`. What the stages of the run share.
        needs: Sequence of strings. The names of the stages of the levels.
    """

    def __init__(self, material: Material, needs: Sequence[str]) -> None:
        super().__init__(material, "joint", material.config.joint.epochs, ["encoder", *needs])

    def prepare(self) -> StackedGAN:
        material = self.material
        encoder, stack = material.networks(joint=True)
        encoder.set_weights(material.encoder.get_weights())
        encoder.trainable = False
        for level, alone in zip(stack.levels, material.stack.levels):
            level.start_from(alone)
        stack.compile(
            **optimizer_pair(material.config.joint.optimizer, material.steps(self.epochs))
        )
        return stack

    def arrays(self) -> list[np.ndarray]:
        return [*self.material.real_features(), self.material.dataset.train_labels]

    def augmentation(self) -> dict:
        mirrored = self.material.mirrored_features()
        return {"mirrored": [*mirrored, self.material.dataset.train_labels]} if mirrored else {}

    def adapt(self, model: StackedGAN) -> None:
        _adapt(model.levels, self.material)

    def callbacks(self, model: StackedGAN, sample_every: int) -> list[keras.callbacks.Callback]:
        top = len(model.levels) - 1
        return _sample_callbacks(self, model, model.levels, top, model, sample_every)

    def finish(self, model: StackedGAN) -> None:
        self.material.stack = model


def _adapt(levels, material):
    for level in levels:
        # It takes a pass over all features, and only these units need it.
        if level.config.loss.units == "variance" and not level.is_top:
            level.adapt(material.real_features()[level.index + 1])


def _sample_callbacks(stage, model, levels, top, stack, sample_every):
    """Returns the callbacks that look at a GAN stage's samples, whose highest level is `top`."""
    material, run = stage.material, stage.material.run
    real, labels = material.real_features(), material.dataset.train_labels
    names, seed = material.dataset.class_names, material.config.seed
    rows, row_names = class_rows(names, labels)  # only classes that have training images
    if top == len(stack.levels) - 1:
        condition = rows.repeat(GRID_COLUMNS)
    else:  # one real h_{top+1} per row
        condition = real[top + 1][_picture_images(labels, rows, 1).repeat(GRID_COLUMNS)]
    noise = stack.noise(len(condition), seed=seed)

    def draw():
        return image_grid(stack.decode(condition, noise, top=top), GRID_COLUMNS, row_names)

    if not (run.path / "reals.png").exists():
        images = material.dataset.train_images[_picture_images(labels, rows, GRID_COLUMNS)]
        run.save_png("fakes_init.png", draw())
        # Written last, as its presence means that both exist.
        run.save_png("reals.png", image_grid(images, GRID_COLUMNS, row_names))
    measured = [line for line in run.metrics.read() if line["stage"] == stage.name]
    upper = [*real, labels][top + 1]
    scores = []
    if material.scoring:
        rows = material.scoring.rows(len(labels))
        scored = stack.noise(len(rows), seed=seed)
        draw_scored = functools.partial(stack.decode, upper[rows], scored, top=top)
        scores = [SampleScores(material.scoring, stage.epochs, draw_scored)]
    return [
        AverageStatistics(model, upper[:REFRESH_ROWS], seed),
        CollapseMonitor(levels, real, labels, seed + 1, stage.epochs, measured),
        SampleGrid(run, stage.name, stage.epochs, sample_every, draw),
        *scores,
    ]


def _picture_images(labels, rows, count):
    """Returns the numbers of a picture's images: each row has the next `count` of its label."""
    numbers = []
    for i, label in enumerate(rows):
        before = np.sum(rows[:i] == label)
        members = np.resize(np.flatnonzero(labels == label), (before + 1) * count)
        numbers.append(members[-count:])
    return np.concatenate(numbers)
