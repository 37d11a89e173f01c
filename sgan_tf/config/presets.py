"""The presets: one row of plain values each. Settings that a row omits have their defaults.

A row holds a *template* for each kind of level. For each level, `make_config` uses the template of
what the level generates: the image, a feature map or a feature vector. So one row fits any cuts.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sgan_tf.config.overrides import with_overrides
from sgan_tf.config.schema import (
    ClassifierConfig,
    Config,
    EncoderConfig,
    JointConfig,
    LevelConfig,
    from_tree,
)
from sgan_tf.config.validation import MAP_LAYERS, ConfigError, check_cuts
from sgan_tf.data.datasets import DATASETS


@dataclass(frozen=True)
class Preset:
    """A row: settings of `EncoderConfig`, `LevelConfig` (three kinds) and `JointConfig`."""

    encoder: dict
    image: dict  # template for h_0
    map: dict  # template for a feature map, like the image level's; the paper generates no maps
    vector: dict  # template for a feature vector, fc3
    joint: dict
    unlabelled: dict = field(default_factory=dict)  # overrides `encoder` if there are no labels
    batch_size: int = 100
    flip: bool = False  # `Config.flip`, if mirror images of the data set are realistic


def make_config(
    dataset: str = "digits",
    preset: str | None = None,
    cuts: Sequence[str] | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    overrides: Iterable[str] = (),
    precision: str = "float32",
    classifier: ClassifierConfig | None = None,
    labels: str = "given",
) -> Config:
    """Builds and checks the configuration of a run.

    Args:
        dataset: String. A name in `DATASETS`. Defaults to `digits`.
        preset: String. A name in `PRESETS`. Defaults to the preset of the data set.
        cuts: List of strings. Names in `ENCODER_LAYERS` where E is cut, bottom up. `()` gives one
            level, from label to image. Defaults to `("fc3",)`, the paper's cut.
        image_size: Integer. The side of the square images in pixels. Defaults to that of the data
            set.
        epochs: Integer. Epochs of every stage that has any. Defaults to those of the preset.
        seed: Integer. Seed of the order of the images, the initial weights and all noise. Defaults
            to 0.
        overrides: List of strings `"dotted.name=value"`, such as `"levels.0.loss.lambda_ent=0"`.
            Defaults to none.
        precision: String. The precision of convolutions and large matrices: `float32` or
            `bfloat16`. `sgan_tf.runs.environment.best_precision()` returns the faster one on this
            machine. Defaults to `float32`.
        classifier: `ClassifierConfig`. Your own classifier, used as the encoder; `cuts` are then
            names of its layers, and the shapes of its features select the preset's templates.
            Defaults to None.
        labels: String. `given`, `none` or `clusters:K`. With `none`, the encoder is trained without
            labels, and the top level is unconditional. With `clusters:K`, K clusters of such an
            encoder's features replace the classes. Defaults to `given`.

    Returns:
        `Config`.

    Raises:
        ConfigError: If a setting is invalid; the message names it.

    Example:

    >>> make_config("mnist", cuts=(), overrides=["levels.0.z_dim=12"]).levels[0].z_dim
    12
    """
    if dataset not in DATASETS:
        raise ConfigError(
            f"`dataset`: unknown data set '{dataset}'; choose from {', '.join(DATASETS)}"
        )
    preset = preset or DATASETS[dataset].preset
    if preset not in PRESETS:
        raise ConfigError(f"`preset`: unknown preset '{preset}'; choose from {', '.join(PRESETS)}")
    cuts = ["fc3"] if cuts is None else list(cuts)
    row = copy.deepcopy(PRESETS[preset])
    if classifier is None:
        check_cuts(cuts)
        learned = row.encoder if labels == "given" else {**row.encoder, **row.unlabelled}
        encoder = EncoderConfig(**learned)
        maps = [cut in MAP_LAYERS for cut in cuts]
    else:
        encoder = EncoderConfig(epochs=0, flip=row.flip)  # no encoder is built from it
        maps = [len(shape) == 3 for shape in classifier.shapes[1:]]
    levels = [row.image, *(row.map if is_map else row.vector for is_map in maps)]
    levels = [from_tree(LevelConfig, template) for template in levels]
    joint = from_tree(JointConfig, row.joint)
    for level, shape in zip(levels, classifier.shapes if classifier else []):
        _fit(level, shape)
    if labels == "none":  # a cross-entropy over one class is 0
        levels[-1].loss.lambda_cond = joint.lambda_class = 0.0
        for level in levels:
            level.loss.lambda_label = 0.0
    config = Config(
        dataset=dataset,
        preset=preset,
        image_size=image_size or DATASETS[dataset].side,
        labels=labels,
        seed=seed,
        cuts=cuts,
        batch_size=row.batch_size,
        precision=precision,
        flip=row.flip,
        encoder=encoder,
        classifier=classifier,
        levels=levels,
        joint=joint,
    )
    # A preset mirrors images only if mirror images of the data set are realistic.
    for settings in (config, config.encoder):
        settings.flip = settings.flip and bool(DATASETS[dataset].flips)
    return with_overrides(config, overrides, epochs)


def _fit(level, shape):
    """Changes a level from a template to fit h_i of any shape, below any h_{i+1}."""
    if len(shape) == 3:
        level.generator.family = "shapes"
        least, even = min(shape[:2]), all(side % 2 == 0 for side in shape[:2])
        if not {"halved": even, "allconv": least > 8}.get(level.discriminator.family, True):
            level.discriminator.family, level.discriminator.kernel_size = "strided", 3


# Views for photographs, in which objects have all sizes.
PHOTOGRAPHS = ["crop", "color"]


# fmt: off
def _recipe(encoder, epochs, upper_epochs, joint_epochs, flip=False, width=1.0, g_channels=None,
            d_width=1.0, noise_units=128, lambda_cond=4.0, lambda_class=4.0,
            learning_rate=0.0002, unlabelled=None):
    """The recommended recipe; `width` multiplies the widths of its levels, and `d_width` D_0's.

    `epochs`, `lambda_cond` and `learning_rate` are those of level 0.
    """
    d = dict(spectral_norm=True, projection=["labels"])
    loss = dict(adversarial="hinge", units="variance", lambda_ent=0.83)
    adam = dict(decay_from=0.5, beta_1=0.0)
    upper = dict(epochs=upper_epochs, ema=0.999, loss=loss,
                 optimizer=dict(**adam, learning_rate=0.0002))

    def wide(*widths, by=width):
        return [round(by * units) for units in widths]

    return Preset(
        encoder=encoder,
        image=dict(z_dim=16, epochs=epochs, ema=0.999,
                   generator=dict(family="pyramid", noise_units=[noise_units], condition_norm=True,
                                  channels=g_channels or wide(256, 128, 96), modulation=32),
                   discriminator=dict(**d, family="halved", posterior_prior_init=True,
                                      channels=wide(64, 128, 128, 256, 256, by=d_width)),
                   loss=dict(**loss, lambda_cond=lambda_cond),
                   optimizer=dict(**adam, learning_rate=learning_rate)),
        map=dict(**upper, z_dim=32,
                 generator=dict(family="mirror", noise_units=[128], channels=wide(256, 128)),
                 discriminator=dict(**d, family="strided", channels=wide(192, 192),
                                    kernel_size=3)),
        vector=dict(**upper,
                    generator=dict(units=wide(512, 512)),
                    discriminator=dict(**d, units=wide(512, 512))),
        joint=dict(epochs=joint_epochs, lambda_class=lambda_class,
                   optimizer=dict(learning_rate=0.0001, decay_from=0.0, beta_1=0.0)),
        unlabelled=unlabelled or dict(views=PHOTOGRAPHS, epochs=2 * encoder["epochs"]),
        batch_size=64,
        flip=flip)


def _cifar10_release(encoder):
    """The CIFAR-10 recipe of the authors' code."""
    adaptive = dict(epochs=200, loss=dict(adversarial="class_logits"),
                    optimizer=dict(adaptive_steps=True))
    return Preset(
        encoder=encoder,
        image=dict(**adaptive, z_dim=16,
                   generator=dict(family="mirror", noise_units=[128, 128],
                                  channels=[256, 256, 128, 128]),
                   discriminator=dict(family="allconv", channels=[96, 96, 192, 192, 192, 192],
                                      batch_norm=True, input_noise=0.05, dropout=0.1,
                                      joint_dropout=0.3)),
        map=dict(**adaptive, z_dim=32,
                 generator=dict(family="mirror", noise_units=[128], channels=[256, 128]),
                 discriminator=dict(family="strided", channels=[192, 192], kernel_size=3,
                                    batch_norm=True, input_noise=0.05)),
        vector=dict(**adaptive,
                    generator=dict(noise_units=[256], condition_units=[512]),
                    discriminator=dict(units=[512, 512], batch_norm=True, input_noise=0.2,
                                       joint_hidden_noise=0.2)),
        joint=dict(epochs=200, optimizer=dict(adaptive_steps=True)),
        unlabelled=dict(views=PHOTOGRAPHS, epochs=60),
        batch_size=100)


# The authors generate no feature maps; this template follows their image level.
MNIST_MAP = dict(z_dim=32,
                 generator=dict(family="mirror", noise_units=[128], channels=[128, 64]),
                 discriminator=dict(family="strided", channels=[128, 128], kernel_size=3,
                                    batch_norm=True, input_noise=0.05))

# `mnist`, `svhn`, `cifar10`: current practice for small conditional GANs (`_recipe`).
# `svhn-small`, `cifar10-small`: the same at half the width, but with a wider D_0, whose width
#   matters most. The package ships stacks trained with them, and image folders use them by default.
# `mnist-release`: the joint script of the authors' code, which trains both levels from scratch.
# `mnist-release-independent`: the authors' other script, which trains each level alone.
# `svhn-release`, `cifar10-release`: the authors' CIFAR-10 recipe; the paper uses it on SVHN too.
PRESETS = {
    "digits": Preset(
        encoder=dict(channels=[32, 64], kernel_size=3, padding="same", units=64, dropout=0.3,
                     epochs=40),
        image=dict(z_dim=8, epochs=120,
                   generator=dict(family="mirror", noise_units=[32], channels=[64, 64, 32, 32]),
                   discriminator=dict(family="strided", channels=[32, 64], kernel_size=3,
                                      batch_norm=True, input_noise=0.05),
                   optimizer=dict(learning_rate=0.0005)),
        map=dict(z_dim=16, epochs=120,
                 generator=dict(family="mirror", noise_units=[128], channels=[64, 64]),
                 discriminator=dict(family="strided", channels=[64, 64], kernel_size=3,
                                    batch_norm=True, input_noise=0.05),
                 optimizer=dict(learning_rate=0.0005)),
        vector=dict(z_dim=16, epochs=120,
                    generator=dict(units=[128, 128]),
                    discriminator=dict(units=[128, 128]),
                    optimizer=dict(learning_rate=0.0005)),
        joint=dict(epochs=30),
        unlabelled=dict(epochs=120),
        batch_size=50),
    "mnist": _recipe(
        encoder=dict(), epochs=12, upper_epochs=12, joint_epochs=3, width=0.5, d_width=0.5,
        g_channels=[48, 48], lambda_cond=0.5, lambda_class=0.0, unlabelled=dict(epochs=20)),
    "mnist-release": Preset(
        encoder=dict(),
        image=dict(epochs=0,
                   generator=dict(family="mirror", noise_units=[128]),
                   discriminator=dict(family="strided", channels=[32, 64, 128], units=[256],
                                      dense_slope=0.0, posterior_activation="sigmoid")),
        map=dict(**MNIST_MAP, epochs=0),
        vector=dict(epochs=0,
                    generator=dict(),
                    discriminator=dict(units=[256, 256], dense_slope=0.0,
                                       posterior_activation="sigmoid",
                                       head_init="glorot_uniform")),
        joint=dict(epochs=200, lower_weight=0.0),
        unlabelled=dict(epochs=20),
        batch_size=100),
    "mnist-release-independent": Preset(
        encoder=dict(),
        image=dict(epochs=200,
                   generator=dict(family="mirror", noise_units=[128]),
                   discriminator=dict(family="strided", channels=[32, 64, 128], units=[256],
                                      posterior_activation="sigmoid")),
        map=dict(**MNIST_MAP, epochs=200),
        vector=dict(epochs=200,
                    generator=dict(),
                    discriminator=dict(units=[256, 256], posterior_activation="sigmoid")),
        joint=dict(epochs=0),
        unlabelled=dict(epochs=20),
        batch_size=100),
    "svhn": _recipe(
        encoder=dict(channels=[64, 128], dropout=0.5, shift=2, subtract_mean=True, epochs=15),
        epochs=25, upper_epochs=48, joint_epochs=5, lambda_class=2.0),
    "svhn-release": _cifar10_release(
        encoder=dict(channels=[64, 128], dropout=0.5, subtract_mean=True)),
    "svhn-small": _recipe(
        encoder=dict(channels=[32, 64], dropout=0.5, shift=2, subtract_mean=True, epochs=15),
        epochs=10, upper_epochs=48, joint_epochs=1, width=0.5, d_width=0.75,
        g_channels=[96, 64, 48], noise_units=64, lambda_class=2.0),
    "cifar10": _recipe(
        encoder=dict(channels=[64, 128], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=30),
        epochs=70, upper_epochs=64, joint_epochs=2, flip=True),
    "cifar10-release": _cifar10_release(
        encoder=dict(channels=[64, 128], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=30)),
    "cifar10-small": _recipe(
        encoder=dict(channels=[48, 80], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=20),
        epochs=20, upper_epochs=64, joint_epochs=2, flip=True, width=0.5,
        g_channels=[96, 64, 48], noise_units=64, learning_rate=0.0004),
}
# fmt: on
