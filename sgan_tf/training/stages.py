"""The stages of training as objects: the encoder, a level alone, all levels jointly."""

import functools
import json
import logging
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.batches import steps_per_epoch
from sgan_tf.images import image_grid
from sgan_tf.models.adversarial import optimizer_pair
from sgan_tf.models.base import TrainedModel
from sgan_tf.models.build import stage_seed
from sgan_tf.run import RunError
from sgan_tf.training.callbacks import AverageStatistics, SampleGrid
from sgan_tf.training.monitor import CollapseMonitor
from sgan_tf.training.scores import SampleScores, Scoring

log = logging.getLogger("sgan_tf")
GRID_COLUMNS = 10
FEATURE_BATCH = 500
NEAR_CHANCE = 1.5  # times chance: an encoder below it is warned of
REFRESH_ROWS = 1000  # of the batch on which averaged generators measure their statistics


class Material:
    """What the stages of a run work with: images, networks, and the frozen encoder's features.

    Args:
        config: A `Config`.
        run: The `Run`.
        dataset: An `ImageDataset`.
        build: Function `(config, image_shape, class_names, mean=None, joint=False)` that makes
            `(encoder, stack)`.
        scoring: How samples are scored on the way, a `Scoring`; None for not at all.

    Attributes:
        encoder, stack: The networks, as far as they are trained.
    """

    def __init__(self, config, run, dataset, build: Callable, scoring: Scoring | None = None):
        self.config, self.run, self.dataset, self.scoring = config, run, dataset, scoring
        self._build, self._real, self._mirrored = build, None, None
        self.encoder, self.stack = self.networks()

    def networks(self, joint=False):
        """Returns a new `(encoder, stack)`, untrained."""
        data, mean = self.dataset, None
        if self.config.encoder.subtract_mean:
            mean = data.train_images.mean(0, dtype=np.float64) / 255
        return self._build(self.config, data.image_shape, data.class_names, mean=mean, joint=joint)

    def seed(self, name):
        """Returns the seed of a stage's noise and order of images."""
        return stage_seed(self.config.seed, name)

    def real_features(self):
        """Returns `[h_0, …, h_{N-1}]` of the training images; the encoder is frozen by now."""
        if self._real is None:
            self._real = self._features(self.dataset.train_images)
        return self._real

    def mirrored_features(self):
        """Returns the same of the mirror images; None where levels do not see them."""
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

    def steps(self, epochs):
        """Returns the number of steps of so many epochs."""
        return epochs * steps_per_epoch(len(self.dataset.train_images), self.config.batch_size)


class Stage:
    """A part of training, from its model to what it leaves in the run folder.

    Args:
        material: The `Material`.
        name: Of the stage, and of its checkpoint.
        epochs: How long it is trained.
        needs: Names of the stages that it stands on.

    """

    def __init__(self, material: Material, name: str, epochs: int, needs=()):
        self.material, self.name, self.epochs, self.needs = material, name, epochs, tuple(needs)

    def prepare(self) -> TrainedModel:
        """Returns the stage's model, compiled, in the strategy's scope."""
        raise NotImplementedError

    def arrays(self) -> list[np.ndarray]:
        """Returns what it is trained on: the model's inputs, then the labels."""
        raise NotImplementedError

    def augmentation(self) -> dict:
        """Returns the options of `batches` that change the stage's images."""
        return {}

    def adapt(self, model):
        """Tells the model what it has to know of the data before it is trained."""

    def callbacks(self, model, sample_every: int) -> list[keras.callbacks.Callback]:
        """Returns what happens at the end of an epoch beside the log and the checkpoint."""
        return []

    def finish(self, model):
        """Passes the trained model on, and writes what a finished stage leaves if it is missing."""


class EncoderStage(Stage):
    """The classifier; a given one is finished from the beginning."""

    def __init__(self, material):
        settings = material.config.encoder
        super().__init__(material, "encoder", settings.epochs)

    def prepare(self):
        settings, material = self.material.config.encoder, self.material
        if not self.epochs:
            if not material.run.progress(self.name).done:
                raise RunError(
                    f"`run_dir`: {material.run.path} lacks checkpoints/encoder.safetensors; name "
                    "the classifier with `encoder` again, which writes it"
                )
            return material.encoder
        steps = material.steps(self.epochs)
        schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
        material.encoder.compile(optimizer)
        return material.encoder

    def arrays(self):
        return [self.material.dataset.train_images, self.material.dataset.train_labels]

    def augmentation(self):
        settings = self.material.config.encoder
        return {"flip": settings.flip, "shift": settings.shift}

    def finish(self, model):
        model.trainable = False
        run = self.material.run
        if (run.path / "encoder.json").exists():
            return
        images, labels = self.material.dataset.test_images, self.material.dataset.test_labels
        classify = tf.function(lambda batch: model(batch, training=False))
        logits = [
            classify(tf.constant(images[i : i + FEATURE_BATCH])).numpy()
            for i in range(0, len(images), FEATURE_BATCH)
        ]
        accuracy = float(np.mean(np.concatenate(logits).argmax(-1) == labels))
        facts = {"test_accuracy": round(accuracy, 4), "test_images": len(labels)}
        run.write("encoder.json", json.dumps(facts) + "\n")
        log.info("encoder: test accuracy %.4f on %d images", accuracy, len(labels))
        chance = 1 / len(self.material.dataset.class_names)
        if accuracy < NEAR_CHANCE * chance:
            trained = "train it longer (encoder.epochs), or look at the labels"
            given = "look at what it expects of images, and at the order of its classes"
            log.warning(
                "encoder: that is near chance (%.4f for %d classes): its features say little of "
                "the classes, and so will the images of a stack that inverts it; %s",
                chance,
                round(1 / chance),
                trained if self.epochs else given,
            )


class LevelStage(Stage):
    """One level, alone, on the encoder's real features."""

    def __init__(self, material, index):
        super().__init__(
            material, f"level{index}", material.config.levels[index].epochs, ["encoder"]
        )
        self.index = index

    def prepare(self):
        level = self.material.stack.levels[self.index]
        settings = self.material.config.levels[self.index]
        level.compile(**optimizer_pair(settings, self.material.steps(self.epochs)))
        return level

    def arrays(self):
        return self._rows(self.material.real_features())

    def augmentation(self):
        mirrored = self.material.mirrored_features()
        return {"mirrored": self._rows(mirrored)} if mirrored else {}

    def _rows(self, features):
        return [*features[self.index : self.index + 2], self.material.dataset.train_labels]

    def adapt(self, model):
        _adapt([model], self.material)

    def callbacks(self, model, sample_every):
        stack = self.material.stack
        return _watchers(self, model, [model], model.index, stack, sample_every)


class JointStage(Stage):
    """All levels end to end, from the weights that the levels have reached alone."""

    def __init__(self, material, needs):
        super().__init__(material, "joint", material.config.joint.epochs, ["encoder", *needs])

    def prepare(self):
        material = self.material
        encoder, stack = material.networks(joint=True)
        encoder.set_weights(material.encoder.get_weights())
        encoder.trainable = False
        for level, alone in zip(stack.levels, material.stack.levels):
            level.start_from(alone)
        stack.compile(**optimizer_pair(material.config.joint, material.steps(self.epochs)))
        return stack

    def arrays(self):
        return [*self.material.real_features(), self.material.dataset.train_labels]

    def augmentation(self):
        mirrored = self.material.mirrored_features()
        return {"mirrored": [*mirrored, self.material.dataset.train_labels]} if mirrored else {}

    def adapt(self, model):
        _adapt(model.levels, self.material)

    def callbacks(self, model, sample_every):
        top = len(model.levels) - 1
        return _watchers(self, model, model.levels, top, model, sample_every)

    def finish(self, model):
        self.material.stack = model


def plan(material: Material) -> list[Stage]:
    """Returns the stages of a configuration in the order of training."""
    trained = material.config.stages()
    indices = [i for i in range(len(material.config.levels)) if f"level{i}" in trained]
    levels = [LevelStage(material, i) for i in indices]
    joint = [JointStage(material, [s.name for s in levels])] if "joint" in trained else []
    return [EncoderStage(material), *levels, *joint]


def _adapt(levels, material):
    for level in levels:
        # It takes a pass over all features, and matters in these units alone.
        if level.config.loss_units == "variance" and not level.is_top:
            level.adapt(material.real_features()[level.index + 1])


def _watchers(stage, model, levels, top, stack, sample_every):
    """What looks at a GAN stage's samples, whose highest level is `top`, after every epoch."""
    material, run = stage.material, stage.material.run
    real, labels = material.real_features(), material.dataset.train_labels
    seed = material.config.seed
    classes = np.unique(labels)  # one without a training image has no row: it was never learned
    names = [material.dataset.class_names[c] for c in classes]
    if top == len(stack.levels) - 1:
        condition = classes.repeat(GRID_COLUMNS)
    else:  # one real h_{top+1} a class
        first = np.array([np.argmax(labels == c) for c in classes])
        condition = real[top + 1][first.repeat(GRID_COLUMNS)]
    noise = stack.noise(len(condition), seed=seed)

    def draw():
        return stack.decode(condition, noise, top=top)

    if not (run.path / "reals.png").exists():
        rows = [np.resize(np.flatnonzero(labels == c), GRID_COLUMNS) for c in classes]
        images = material.dataset.train_images[np.concatenate(rows)]
        run.save_png("fakes_init.png", image_grid(draw(), GRID_COLUMNS, names))
        # Last, as it says that both are there.
        run.save_png("reals.png", image_grid(images, GRID_COLUMNS, names))
    measured = [line for line in run.read_metrics() if line["stage"] == stage.name]
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
        SampleGrid(run, stage.name, stage.epochs, sample_every, draw, names),
        *scores,
    ]
