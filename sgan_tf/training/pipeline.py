"""The stage driver: the encoder, each level from the bottom up, then all levels jointly."""

import dataclasses
import logging
import time
import zlib

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.batches import batches, steps_per_epoch
from sgan_tf.images import as_float, image_grid
from sgan_tf.models.adversarial import optimizer_pair
from sgan_tf.models.encoder import Encoder
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.run import Run, RunError, read_config, versions
from sgan_tf.spread import spread
from sgan_tf.training.callbacks import Checkpoint, CollapseMonitor, EpochLog, Progress, SampleGrid

log = logging.getLogger("sgan_tf")
GRID_COLUMNS = 10
MONITOR_CONDITIONS, MONITOR_DRAWS = 64, 8
FEATURE_BATCH = 500


class Pipeline:
    """Trains the stages of a configuration on a data set, from wherever the run folder stands.

    Args:
        config: A `Config`.
        run: The opened `Run`.
        dataset: An `ImageDataset`.
        strategy: A `tf.distribute` strategy; the batch size is global and is divided among its replicas.
        sample_every: Epochs between two sample grids.
        checkpoint_minutes: The most work that a killed process loses.
        stop: Function that tells whether to stop and save.
    """

    def __init__(
        self,
        config,
        run,
        dataset,
        strategy=None,
        sample_every=5,
        checkpoint_minutes=5,
        stop=lambda: False,
    ):
        self.config, self.run, self.dataset = config, run, dataset
        self.strategy = strategy or tf.distribute.get_strategy()
        self.sample_every, self.checkpoint_minutes, self.stop = (
            sample_every,
            checkpoint_minutes,
            stop,
        )
        with self.strategy.scope():
            self.encoder, self.stack = build(config, dataset.image_shape, dataset.num_classes)
        self._real = None

    def train(self, stages=None):
        """Trains the named stages (all by default) that are not finished.

        Returns:
            The `StackedGAN` as the run folder now holds it, or None while the encoder alone is asked for.

        Raises:
            RunError: when a stage needs another that is neither finished nor asked for.
        """
        plan = self.config.stages()
        wanted = [name for name in plan if stages is None or name in stages]
        for position, name in enumerate(plan):
            if name in wanted:
                missing = [n for n in list(plan)[:position] if not self.run.progress(n)[1]]
                if missing:
                    raise RunError(
                        f"--stages: {name} needs {missing[0]}, which is not finished; add it to --stages"
                    )
                self._train_stage(name, plan[name])
        return self.stack

    def _train_stage(self, name, epochs):
        with self.strategy.scope():
            model = self._model(name)
        step, done = self.run.progress(name)
        saved = self.run.load(name, model.networks() if done else model.state()) if step else {}
        if done:
            log.info("%s is finished already", name)
        else:
            self._fit(name, model, epochs, step, saved.get("metrics"))
        if name == "encoder":
            self.encoder.trainable = False
            if not done:
                self._report_accuracy()
        if name == "joint":
            self.stack = model

    def _model(self, name):
        """Returns a stage's compiled model."""
        keras.utils.set_random_seed(stage_seed(self.config.seed, name))
        if name == "encoder":
            settings = self.config.encoder
            steps = settings.epochs * steps_per_epoch(
                len(self.dataset.train_images), self.config.batch_size
            )
            schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
            optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
            self.encoder.compile(optimizer=optimizer, jit_compile=False)
            optimizer.build(self.encoder.trainable_variables)
            if self.encoder.center:
                self.encoder.center.mean.assign(
                    self.dataset.train_images.mean(0, dtype=np.float64) / 255
                )
            return self.encoder
        if name == "joint":
            model, settings = joint_stack(self.config, self.stack), self.config.joint
        else:
            index = int(name.removeprefix("level"))
            model, settings = self.stack.levels[index], self.config.levels[index]
        model.compile(*optimizer_pair(settings))
        return model

    def _fit(self, name, model, epochs, step, saved_metrics):
        self.run.forget_metrics(name, step)
        arrays = self._arrays(name)
        size, seed = self.config.batch_size, stage_seed(self.config.seed, name)
        steps = steps_per_epoch(len(arrays[0]), size)
        if step:
            log.info("%s resumes at step %d of %d", name, step, steps * epochs)
        # The checkpoint comes last: what an epoch's end does before it is done again after a kill, never left out.
        callbacks = [
            *self._watchers(name, model, epochs),
            EpochLog(self.run, name, steps, epochs),
            Progress(name, steps, epochs, step),
            Checkpoint(
                self.run,
                name,
                steps,
                epochs,
                step,
                saved_metrics,
                self.checkpoint_minutes,
                self.stop,
            ),
        ]

        def fit(start, first, last, count):
            model.fit(
                batches(arrays, size, seed, start, **self._augmentation(name)),
                initial_epoch=first,
                epochs=last,
                steps_per_epoch=count,
                callbacks=callbacks,
                verbose=0,
                shuffle=False,
            )

        epoch, begun = divmod(step, steps)
        if begun:  # the rest of an epoch that was cut short
            fit(step, epoch, epoch + 1, steps - begun)
            epoch += 1
        if epoch < epochs:
            fit(epoch * steps, epoch, epochs, steps)

    def seconds_per_step(self, steps, warm_up=2):
        """Measures every stage's step, untrained, writing nothing; returns seconds, a number a stage."""
        measured = []
        for name in self.config.stages():
            with self.strategy.scope():
                model = self._model(name)
            data = batches(
                self._arrays(name), self.config.batch_size, 0, **self._augmentation(name)
            )
            model.fit(data, steps_per_epoch=warm_up, verbose=0, shuffle=False)
            started = time.perf_counter()
            model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
            measured.append((time.perf_counter() - started) / steps)
        return measured

    def _augmentation(self, name):
        """Returns the options of `batches` that change a stage's images: only E learns from changed ones."""
        return (
            {"flip": self.config.encoder.flip, "shift": self.config.encoder.shift}
            if name == "encoder"
            else {}
        )

    def _arrays(self, name):
        """Returns what a stage trains on: `(images, labels)`, `(h_i, h_{i+1}, labels)` or `(h_0, …, labels)`."""
        labels = self.dataset.train_labels
        if name == "encoder":
            return [self.dataset.train_images, labels]
        real = self._real_features()
        if name == "joint":
            return [*real, labels]
        index = int(name.removeprefix("level"))
        return [real[index], (real + [labels])[index + 1], labels]

    def _real_features(self):
        """Returns `[h_0, …, h_{N-1}]` of the training images. The encoder is frozen, so once is enough."""
        if self._real is None:
            images = self.dataset.train_images
            features = tf.function(lambda batch: self.encoder.features(batch)[:-1])
            parts = [
                features(tf.constant(as_float(images[i : i + FEATURE_BATCH])))
                for i in range(0, len(images), FEATURE_BATCH)
            ]
            self._real = [images] + [
                np.concatenate([h.numpy() for h in level]) for level in zip(*parts)
            ]
        return self._real

    def _report_accuracy(self):
        images, labels = self.dataset.test_images, self.dataset.test_labels
        logits = np.concatenate(
            [
                self.encoder(as_float(images[i : i + FEATURE_BATCH]), training=False).numpy()
                for i in range(0, len(images), FEATURE_BATCH)
            ]
        )
        accuracy = float(np.mean(logits.argmax(-1) == labels))
        self.run.write(
            "encoder.json", f'{{"test_accuracy": {accuracy:.4f}, "test_images": {len(labels)}}}\n'
        )
        log.info("encoder: test accuracy %.4f on %d images", accuracy, len(labels))

    def _watchers(self, name, model, epochs):
        """Returns the collapse monitor and the sample grid of a GAN stage."""
        if name == "encoder":
            return []
        stack = model if name == "joint" else self.stack
        levels = stack.levels if name == "joint" else [model]
        real = self._real_features()
        spreads = [spread(as_float(real[level.index][:2000])) for level in levels]
        # One image a class, then the next of each: real features to start from where the level is not the highest.
        top = len(stack.levels) - 1 if name == "joint" else model.index
        by_class = np.repeat(np.arange(self.dataset.num_classes), GRID_COLUMNS)
        if top == len(stack.levels) - 1:
            condition = by_class
        else:
            condition = real[top + 1][
                np.concatenate(
                    [
                        np.flatnonzero(self.dataset.train_labels == c)[:1].repeat(GRID_COLUMNS)
                        for c in range(self.dataset.num_classes)
                    ]
                )
            ]
        noise = stack.noise(len(by_class), seed=self.config.seed)

        def draw():
            return stack.decode(condition, noise, top=top)

        if not (self.run.path / "reals.png").exists():
            index = np.concatenate(
                [
                    np.resize(np.flatnonzero(self.dataset.train_labels == c), GRID_COLUMNS)
                    for c in range(self.dataset.num_classes)
                ]
            )
            self.run.save_png(
                "reals.png",
                image_grid(
                    self.dataset.train_images[index], GRID_COLUMNS, self.dataset.class_names
                ),
            )
            self.run.save_png(
                "fakes_init.png", image_grid(draw(), GRID_COLUMNS, self.dataset.class_names)
            )
        return [
            CollapseMonitor(levels, self._monitor(stack, levels, real), spreads),
            SampleGrid(self.run, name, epochs, self.sample_every, draw, self.dataset.class_names),
        ]

    def _monitor(self, stack, levels, real):
        """Returns the function that draws every level's h_i, several times for each of some real conditions."""
        rows = (
            np.arange(MONITOR_CONDITIONS * MONITOR_DRAWS)
            // MONITOR_DRAWS
            % len(self.dataset.train_labels)
        )
        labels = self.dataset.train_labels
        conditions = [
            level.condition(tf.constant((real + [labels])[level.index + 1][rows]))
            for level in levels
        ]
        noise = stack.noise(len(rows), seed=self.config.seed + 1)
        functions = [
            tf.function(lambda c, z, g=level.generator: g([c, z], training=False))
            for level in levels
        ]

        def generate():
            return [
                function(c, noise[level.index])
                .numpy()
                .reshape(MONITOR_CONDITIONS, MONITOR_DRAWS, *level.generator.output_shape[1:])
                for level, function, c in zip(levels, functions, conditions)
            ]

        return generate


def record_facts(run, dataset):
    """Records a run's data set and versions in its folder; warns when other versions began it.

    Raises:
        RunError: when the run was begun on other images.
    """
    if run.record("data.json", dataset.description()) is not None:
        raise RunError(
            f"--run_dir: {run.path} was trained on other images than these (see data.json in it); choose another folder"
        )
    before = run.record("versions.json", versions())
    if before is not None:
        log.warning(
            "the run was begun with %s: its weights may differ from an uninterrupted run's", before
        )


def build(config, image_shape, num_classes, seeded=True):
    """Builds the encoder and the stack of levels of a configuration, untrained.

    Args:
        config: A `Config`.
        image_shape: `(H, W, C)`.
        num_classes: K.
        seeded: Seed the global random generators, for the initial weights of that configuration.

    Returns:
        `(Encoder, StackedGAN)`.
    """

    def set_seed(seed):
        if seeded:
            keras.utils.set_random_seed(seed)

    set_seed(stage_seed(config.seed, "encoder"))
    encoder = Encoder(config.encoder, image_shape, num_classes, config.cuts, name="encoder")
    levels = []
    for i, settings in enumerate(config.levels):
        seed = stage_seed(config.seed, f"level{i}")
        set_seed(seed)
        levels.append(LevelGAN(settings, encoder, i, noise_seed=seed, name=f"level{i}"))
    return encoder, StackedGAN(encoder, levels, config.joint, name="stack")


def joint_stack(config, stack):
    """Returns a `StackedGAN` with the weights of `stack` and the discriminators' noise of joint training."""
    levels = []
    for level in stack.levels:
        settings = dataclasses.replace(
            level.level,
            dropout=level.level.joint_dropout,
            hidden_noise=level.level.joint_hidden_noise,
        )
        joint = LevelGAN(settings, stack.encoder, level.index, name=f"joint_level{level.index}")
        joint.generator.set_weights(level.generator.get_weights())
        joint.discriminator.set_weights(level.discriminator.get_weights())
        levels.append(joint)
    return StackedGAN(
        stack.encoder, levels, config.joint, stage_seed(config.seed, "joint"), name="joint_stack"
    )


def load(run_dir, as_is=False):
    """Loads the stack that a run folder holds; neither the images nor the training are needed.

    Args:
        run_dir: A folder written by `train.py`, in which at least all levels are trained.
        as_is: Take stages that are not finished too, as their last checkpoints hold them.

    Returns:
        A `StackedGAN`, of the joint stage if that is finished, with an attribute `class_names`.

    Raises:
        RunError: when the folder is no run, is not trained so far, or is damaged.
    """
    import json

    run, config = Run(run_dir), read_config(run_dir)
    progress = {name: run.progress(name) for name in config.stages()}
    usable = {name: done or (as_is and step > 0) for name, (step, done) in progress.items()}
    for name, good in usable.items():
        if not good and name != "joint":
            raise RunError(
                f"--run_dir: {run_dir} is not trained: {name} is not finished; run train.py again to resume it"
            )
    data = json.loads((run.path / "data.json").read_text())
    encoder, stack = build(
        config, tuple(data["image_shape"]), len(data["class_names"]), seeded=False
    )
    run.load("encoder", encoder.networks())
    encoder.trainable = False
    for level in stack.levels:
        run.load(level.name, level.networks())
    if usable.get("joint"):
        stack = joint_stack(config, stack)
        run.load("joint", stack.networks())
    stack.class_names = data["class_names"]
    return stack


def stage_seed(seed, name):
    """Returns the stage's own seed, a positive int32: stages share no noise and no order of images."""
    return zlib.crc32(f"{seed}/{name}".encode()) >> 1
