"""`build`: the one place that makes our networks from a configuration."""

import contextlib
import dataclasses
import random
import zlib
from collections.abc import Sequence

import keras

from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError
from sgan_tf.models.augmentations import AUGMENTATIONS
from sgan_tf.models.encoder.encoder import Encoder, build_encoder
from sgan_tf.models.layers.images import SubtractMean
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.losses import ADVERSARIAL, REGULARIZERS
from sgan_tf.models.networks.discriminators import build_discriminator
from sgan_tf.models.networks.generators import build_generator
from sgan_tf.models.stacked_gan import StackedGAN


def build(
    config: Config,
    image_shape: Sequence[int],
    class_names: Sequence[str],
    mean=None,
    joint: bool = False,
    encoder: Encoder | None = None,
) -> tuple[Encoder, StackedGAN]:
    """Builds the encoder and the stack of a configuration, with its initial weights.

    A function of these arguments may stand in its place where networks are one's own: see
    `Pipeline` and `load`. The global random generators are left as they were.

    Args:
        config: A `Config`.
        image_shape: `(H, W, C)`.
        class_names: K strings.
        mean: The training set's mean image, float `[H, W, C]` in [0, 1]; not needed where weights
            are loaded.
        joint: With what the discriminators have for joint training (dropout, hidden noise).
        encoder: A given one, of as many stages as the configuration has levels; by default the
            configuration's is made.

    Returns:
        `(Encoder, StackedGAN)`.
    """
    check_names(config)
    recipe = config if encoder is None else None  # a given encoder is in no configuration
    if encoder is None:
        classes = len(class_names)
        with seeded(stage_seed(config.seed, "encoder")), computing_in(config.precision):
            encoder = build_encoder(
                config.encoder, image_shape, classes, config.cuts, mean, name="encoder"
            )
    levels = [_level(config, encoder, i, mean, joint) for i in range(len(encoder.stages))]
    seed = stage_seed(config.seed, "joint") if joint else 0
    settings = {"recipe": recipe, "name": "stack"}
    return encoder, StackedGAN(encoder, levels, config.joint, class_names, seed, **settings)


def _level(config, encoder, i, mean, joint):
    settings, name = config.levels[i], f"level{i}"
    if joint:
        settings = dataclasses.replace(
            settings, dropout=settings.joint_dropout, hidden_noise=settings.joint_hidden_noise
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
            settings,
            encoder.shapes[i],
            encoder.shapes[i + 1],
            encoder.num_classes,
            (lambda: SubtractMean(mean, name="center")) if center else None,
            [encoder.stages[i].get_layer(x).output.shape[1:] for x in settings.d_features],
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


def check_names(config: Config):
    """Raises `ConfigError` for a loss, regulariser or augmentation that no table has.

    `adaptive_steps` is refused too where it would follow a loss that is not log 2 at chance.
    """
    unknown = [name for name in config.encoder.views if name not in AUGMENTATIONS]
    if unknown:
        raise ConfigError(f"encoder.views: {unknown[0]} is not one of {', '.join(AUGMENTATIONS)}")
    for i, level in enumerate(config.levels):
        named = {
            "adversarial": ([level.adversarial], ADVERSARIAL),
            "regularizers": (level.regularizers, REGULARIZERS),
            "augment": (level.augment, AUGMENTATIONS),
            "cond_augment": (level.cond_augment, AUGMENTATIONS),
        }
        for key, (names, table) in named.items():
            unknown = [name for name in names if name not in table]
            if unknown:
                raise ConfigError(
                    f"levels.{i}.{key}: {unknown[0]} is not one of {', '.join(table)}"
                )
    _check_adaptive_steps(config)


def _check_adaptive_steps(config):
    watched = {
        f"levels.{i}": [level]
        for i, level in enumerate(config.levels)
        if level.adaptive_steps and level.epochs
    }
    if config.joint.adaptive_steps and "joint" in config.stages():
        bottom = config.joint.adaptive_watch == "bottom"
        watched["joint"] = config.levels[:1] if bottom else config.levels
    for section, levels in watched.items():
        for form in [level.adversarial for level in levels if level.lambda_adv]:
            if not ADVERSARIAL[form].log_2_at_chance:
                raise ConfigError(
                    f"{section}.adaptive_steps: True is not false, as {form} needs: its loss is "
                    "not log 2 at chance"
                )


def stage_seed(seed: int, name: str) -> int:
    """Returns a stage's own seed, a positive int32: stages share no noise and no order."""
    return zlib.crc32(f"{seed}/{name}".encode()) >> 1


@contextlib.contextmanager
def computing_in(precision: str):
    """Layers that are made meanwhile compute in `precision`; weights are float32 always."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def seeded(seed: int):
    """Seeds what Keras draws the seeds of initial weights from, and restores it afterwards."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
