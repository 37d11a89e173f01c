"""`build`: makes the networks of a configuration."""

import contextlib
import dataclasses
import random
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy.typing as npt

from sgan_tf.config.schema import Config
from sgan_tf.config.validation import map_sides, require
from sgan_tf.models.augmentations import AUGMENTATIONS
from sgan_tf.models.encoder.encoder import Encoder, build_encoder
from sgan_tf.models.encoder.self_supervised import OBJECTIVES
from sgan_tf.models.layers.images import SubtractMean
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.losses import ADVERSARIAL, REGULARIZERS
from sgan_tf.models.networks.discriminators import DISCRIMINATORS, build_discriminator
from sgan_tf.models.networks.families import Target
from sgan_tf.models.networks.generators import GENERATORS, build_generator
from sgan_tf.models.noise import NOISE
from sgan_tf.models.stacked_gan import StackedGAN


def build(
    config: Config,
    image_shape: Sequence[int],
    class_names: Sequence[str],
    mean: npt.ArrayLike | None = None,
    joint: bool = False,
    encoder: Encoder | None = None,
) -> tuple[Encoder, StackedGAN]:
    """Builds the encoder and the stack of a configuration, with their initial weights.

    To use your own networks, pass your own function with these arguments to `Pipeline` or `load`.
    The global random generators are left unchanged.

    Args:
        config: `Config`. The configuration.
        image_shape: Tuple of integers `(H, W, C)`. The shape of one image.
        class_names: List of K strings. The names of the classes.
        mean: Float array `[H, W, C]` in [0, 1]. The training set's mean image. Defaults to None,
            for weights that are loaded later.
        joint: Boolean. Whether the discriminators have the dropout and the hidden noise of the
            joint stage. Defaults to False.
        encoder: `Encoder`. An existing encoder with one stage per level of the configuration.
            Defaults to None: the configuration's encoder is built.

    Returns:
        Tuple `(Encoder, StackedGAN)`.

    Raises:
        ConfigError: If a name is in no registry, or a network cannot be built.
    """
    check_config(config, None if encoder is None else encoder.shapes)
    recipe = config if encoder is None else None  # a config does not describe a given encoder
    if encoder is None:
        classes = len(class_names)
        with seeded(stage_seed(config.seed, "encoder")), computing_in(config.precision):
            encoder = build_encoder(
                config.encoder, image_shape, classes, config.cuts, mean, name="encoder"
            )
    levels = [_level(config, encoder, i, mean, joint) for i in range(len(encoder.stages))]
    seed = stage_seed(config.seed, "joint") if joint else 0
    settings: dict[str, Any] = {"recipe": recipe, "name": "stack"}
    return encoder, StackedGAN(encoder, levels, config.joint, class_names, seed, **settings)


def _level(config, encoder, i, mean, joint):
    settings, name = config.levels[i], f"level{i}"
    critic = settings.discriminator
    if joint:
        critic = dataclasses.replace(
            critic, dropout=critic.joint_dropout, hidden_noise=critic.joint_hidden_noise
        )
    top, bottom = i == len(encoder.stages) - 1, i == 0
    center = config.encoder.subtract_mean and bottom
    seed = stage_seed(config.seed, name)
    with seeded(seed), computing_in(config.precision):
        generator = build_generator(
            settings,
            encoder.stages[i],
            encoder.shapes[i + 1],
            encoder.activations[i],
            name=f"g{i}",
        )
        discriminator = build_discriminator(
            dataclasses.replace(settings, discriminator=critic),
            encoder.shapes[i],
            encoder.shapes[i + 1],
            encoder.num_classes,
            (lambda: SubtractMean(mean, name="center")) if center else None,
            [encoder.stages[i].get_layer(x).output.shape[1:] for x in settings.features],
            name=f"d{i}",
        )
    return LevelGAN(
        generator,
        discriminator,
        encoder.stages[i],
        settings,
        index=i,
        num_classes=encoder.num_classes if top else None,
        noise_seed=seed,
        name=name,
    )


def check_config(config: Config, shapes: Sequence[tuple[int, ...]] | None = None) -> None:
    """Raises `ConfigError` for a name that its registry lacks, or a network that cannot be built.

    It also rejects `adaptive_steps` with an adversarial loss that is not log 2 at chance.

    Args:
        config: `Config`. A validated configuration.
        shapes: List of tuples. The shapes of h_0, …, h_N of an existing encoder. Defaults to None:
            the shapes that the configuration implies.

    Raises:
        ConfigError: See above.
    """
    encoder = config.encoder
    _known("encoder.objective", encoder.objective, OBJECTIVES)
    for name in encoder.views:
        _known("encoder.views", name, AUGMENTATIONS)
    for i, (level, target) in enumerate(zip(config.levels, _targets(config, shapes))):
        loss = level.loss
        _known(f"levels.{i}.noise", level.noise, NOISE)
        _known(f"levels.{i}.loss.adversarial", loss.adversarial, ADVERSARIAL)
        for key, table in _TABLES.items():
            for name in getattr(loss, key):
                _known(f"levels.{i}.loss.{key}", name, table)
        _check_network(f"levels.{i}.generator", level.generator, GENERATORS, target)
        _check_network(f"levels.{i}.discriminator", level.discriminator, DISCRIMINATORS, target)
        assert level.discriminator is not None  # which was checked
        activation = level.discriminator.posterior_activation
        reached = activation == "linear" or NOISE[level.noise].bounded
        name, need = f"levels.{i}.discriminator.posterior_activation", f"linear, as {level.noise}"
        require(reached, name, activation, f"{need} noise needs")
    _check_adaptive_steps(config)


_TABLES = {"regularizers": REGULARIZERS, "augment": AUGMENTATIONS, "cond_augment": AUGMENTATIONS}


def _known(name, value, table):
    require(value in table, name, value, f"one of {', '.join(table)}")


def _check_network(name, settings, table, target):
    require(settings is not None, name, "none", "a network that `build` can make")
    fitting = [family for family in table if table[family].fits(target)]
    need = f"one of {', '.join(fitting)}, for {target.name}"
    require(settings.family in fitting, f"{name}.family", settings.family, need)
    family = table[settings.family]
    need = f"{family.width_need}, as {settings.family} takes"
    widths = getattr(settings, family.widths)
    require(family.allows_widths(settings), f"{name}.{family.widths}", widths, need)


def _check_adaptive_steps(config):
    watched = {
        f"levels.{i}": [level]
        for i, level in enumerate(config.levels)
        if level.optimizer.adaptive_steps and level.epochs
    }
    if config.joint.optimizer.adaptive_steps and "joint" in config.stages():
        bottom = config.joint.adaptive_watch == "bottom"
        watched["joint"] = config.levels[:1] if bottom else config.levels
    for section, levels in watched.items():
        for form in [level.loss.adversarial for level in levels if level.loss.lambda_adv]:
            need = f"false, as {form} needs: its loss is not log 2 at chance"
            name = f"{section}.optimizer.adaptive_steps"
            require(ADVERSARIAL[form].log_2_at_chance, name, True, need)


def _targets(config, shapes):
    """Returns the `Target`s of h_0, …, h_{N-1}."""
    names, chain = ("image", *config.cuts), config.classifier is None
    if chain and shapes is None:
        sides = map_sides(config.encoder, config.image_size)
        assert sides is not None  # which `validate` has checked
        return [Target(name, (sides[name],) * 2 if name in sides else (), chain) for name in names]
    sizes = [tuple(shape[:-1]) for shape in shapes or config.classifier.shapes]
    texts = [
        f"{name} of {' x '.join(map(str, size))}" if size else name
        for name, size in zip(names, sizes)
    ]
    return [Target(text, size, chain) for text, size in zip(texts, sizes)]


def stage_seed(seed: int, name: str) -> int:
    """Returns the seed of a stage, a non-negative int32; stages share no noise and no order.

    Args:
        seed: Integer. The seed of the run.
        name: String. The name of the stage.
    """
    return zlib.crc32(f"{seed}/{name}".encode()) >> 1


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Context in which new layers compute in `precision`; weights are always float32.

    Args:
        precision: String. `float32` or `bfloat16`.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context in which Keras draws the seeds of initial weights from `seed`.

    The state of Python's random generator is restored afterwards.

    Args:
        seed: Integer.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
