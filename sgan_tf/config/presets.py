"""The presets: one row each, flat and of plain values; what a row leaves out has its default.

A row holds a *template* for each kind of level. `make_config` takes one for every level by what the
level generates, the image, a feature map or a feature vector, so that one row serves any cuts.
"""

import copy
from dataclasses import dataclass, field

from sgan_tf.config.schema import (
    ClassifierConfig,
    Config,
    EncoderConfig,
    JointConfig,
    LevelConfig,
    with_overrides,
)
from sgan_tf.config.validation import MAP_LAYERS, ConfigError, check_cuts, map_discriminators
from sgan_tf.data.datasets import DATASETS


@dataclass(frozen=True)
class Preset:
    """A row: settings of `EncoderConfig`, `LevelConfig` (three kinds) and `JointConfig`."""

    encoder: dict
    image: dict  # for h_0
    map: dict  # for a feature map; the paper stacks none, so these follow its image level
    vector: dict  # for fc3
    joint: dict
    unlabelled: dict = field(default_factory=dict)  # over `encoder`, where it has no labels
    batch_size: int = 100
    flip: bool = False  # as in `Config`, where the data set allows it


def make_config(
    dataset: str = "digits",
    preset: str | None = None,
    cuts=None,
    image_size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    overrides=(),
    precision: str = "float32",
    classifier: ClassifierConfig | None = None,
    labels: str = "given",
) -> Config:
    """Builds and checks the configuration of a run.

    Args:
        dataset: One of `DATASETS`.
        preset: A name in `PRESETS`; by default the data set's own.
        cuts: Names out of `ENCODER_LAYERS` where E is cut, bottom up; `()` for one level, label ->
            image. By default `("fc3",)`, the paper's.
        image_size: Side of the square images in pixels; by default the data set's own.
        epochs: Epochs of every stage that has any, in place of the preset's.
        seed: Of the order of the images, the initial weights and all noise.
        overrides: Strings `"dotted.name=value"`, as `"levels.0.lambda_ent=0"`.
        precision: Of convolutions and large matrices: `float32` or `bfloat16`
            (`sgan_tf.runs.environment.best_precision()` tells which is faster here).
        classifier: A given classifier in the encoder's place, whose layers `cuts` then are; the
            preset's templates are taken by the shapes of its features.
        labels: `given`; `none`: the encoder is trained without, and the top level is unconditional;
            or `clusters:K`: K clusters of such an encoder's features stand for classes.

    Returns:
        A `Config`.

    Raises:
        ConfigError: for anything that cannot be, naming it.

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
        encoder = EncoderConfig(epochs=0, flip=row.flip)  # nothing of it is made
        maps = [len(shape) == 3 for shape in classifier.shapes[1:]]
    levels = [row.image, *(row.map if is_map else row.vector for is_map in maps)]
    levels = [LevelConfig(**copy.deepcopy(template)) for template in levels]
    joint = JointConfig(**row.joint)
    for level, shape in zip(levels, classifier.shapes if classifier else []):
        _fit(level, shape)
    if labels == "none":  # a cross-entropy over one class is 0
        levels[-1].lambda_cond = joint.lambda_class = 0.0
        for level in levels:
            level.lambda_label = 0.0
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
    # A preset mirrors images only where the data set's mirror images are as real.
    for settings in (config, config.encoder):
        settings.flip = settings.flip and bool(DATASETS[dataset].flips)
    return with_overrides(config, overrides, epochs)


def _fit(level, shape):
    """Makes a template's level one for h_i of any shape, below any h_{i+1}."""
    if len(shape) == 3:
        level.g_family = "shapes"
        if level.d_family not in map_discriminators(shape):
            level.d_family, level.d_kernel = "strided", 3


# Views of photographs, in which objects come in all sizes.
PHOTOGRAPHS = ["crop", "color"]


# fmt: off
def _recipe(encoder, epochs, upper_epochs, joint_epochs, flip=False, width=1.0, g_channels=None,
            d_width=1.0, noise_units=128, lambda_cond=4.0, lambda_class=4.0,
            learning_rate=0.0002, unlabelled=None):
    """The recommended recipe; `width` multiplies its levels' widths, `d_width` D_0's.

    `learning_rate`, as `epochs` and `lambda_cond`, is level 0's.
    """
    game = dict(d_spectral=True, d_projection=["labels"], adversarial="hinge",
                loss_units="variance", lambda_ent=0.83, decay_from=0.5, beta_1=0.0, ema=0.999)
    upper = dict(**game, learning_rate=0.0002, epochs=upper_epochs)

    def wide(*widths, by=width):
        return [round(by * units) for units in widths]

    return Preset(
        encoder=encoder,
        image=dict(z_dim=16, noise_units=[noise_units], condition_norm=True, g_family="pyramid",
                   g_channels=g_channels or wide(256, 128, 96), g_modulation=32,
                   d_family="halved", d_channels=wide(64, 128, 128, 256, 256, by=d_width),
                   q_prior_init=True, lambda_cond=lambda_cond, epochs=epochs,
                   learning_rate=learning_rate, **game),
        map=dict(z_dim=32, noise_units=[128], g_channels=wide(256, 128), d_family="strided",
                 d_channels=wide(192, 192), d_kernel=3, **upper),
        vector=dict(g_units=wide(512, 512), d_units=wide(512, 512), **upper),
        joint=dict(epochs=joint_epochs, lambda_class=lambda_class, learning_rate=0.0001,
                   decay_from=0.0, beta_1=0.0),
        unlabelled=unlabelled or dict(views=PHOTOGRAPHS, epochs=2 * encoder["epochs"]),
        batch_size=64,
        flip=flip)


# `mnist`, `svhn`, `cifar10`: what is known today of training small conditional GANs (`_recipe`).
# `svhn-small`, `cifar10-small`: the same, half as wide but for D_0, whose width matters most; what
#   comes with the package, and what images of one's own are trained by.
# `mnist-release`: the release's joint script, which trains both levels from scratch, jointly.
# `mnist-release-independent`: its other script, each level alone.
# `svhn-release`, `cifar10-release`: the release's CIFAR-10 recipe; the paper gives it to SVHN too.
PRESETS = {
    "digits": Preset(
        encoder=dict(channels=[32, 64], kernel_size=3, padding="same", units=64, dropout=0.3,
                     epochs=40),
        image=dict(z_dim=8, noise_units=[32], g_channels=[64, 64, 32, 32], d_family="strided",
                   d_channels=[32, 64], d_kernel=3, d_batch_norm=True, input_noise=0.05,
                   epochs=120, learning_rate=0.0005),
        map=dict(z_dim=16, noise_units=[128], g_channels=[64, 64], d_family="strided",
                 d_channels=[64, 64], d_kernel=3, d_batch_norm=True, input_noise=0.05, epochs=120,
                 learning_rate=0.0005),
        vector=dict(z_dim=16, g_units=[128, 128], d_units=[128, 128], epochs=120,
                    learning_rate=0.0005),
        joint=dict(epochs=30),
        unlabelled=dict(epochs=120),
        batch_size=50),
    "mnist": _recipe(
        encoder=dict(), epochs=12, upper_epochs=12, joint_epochs=3, width=0.5, d_width=0.5,
        g_channels=[48, 48], lambda_cond=0.5, lambda_class=0.0, unlabelled=dict(epochs=20)),
    "mnist-release": Preset(
        encoder=dict(),
        image=dict(noise_units=[128], d_family="strided", d_channels=[32, 64, 128], d_units=[256],
                   d_dense_slope=0.0, q_activation="sigmoid", epochs=0),
        map=dict(z_dim=32, noise_units=[128], g_channels=[128, 64], d_family="strided",
                 d_channels=[128, 128], d_kernel=3, d_batch_norm=True, input_noise=0.05, epochs=0),
        vector=dict(d_units=[256, 256], d_dense_slope=0.0, q_activation="sigmoid",
                    head_init="glorot_uniform", epochs=0),
        joint=dict(epochs=200, lower_weight=0.0),
        unlabelled=dict(epochs=20),
        batch_size=100),
    "mnist-release-independent": Preset(
        encoder=dict(),
        image=dict(noise_units=[128], d_family="strided", d_channels=[32, 64, 128], d_units=[256],
                   q_activation="sigmoid", epochs=200),
        map=dict(z_dim=32, noise_units=[128], g_channels=[128, 64], d_family="strided",
                 d_channels=[128, 128], d_kernel=3, d_batch_norm=True, input_noise=0.05,
                 epochs=200),
        vector=dict(d_units=[256, 256], q_activation="sigmoid", epochs=200),
        joint=dict(epochs=0),
        unlabelled=dict(epochs=20),
        batch_size=100),
    "svhn": _recipe(
        encoder=dict(channels=[64, 128], dropout=0.5, shift=2, subtract_mean=True, epochs=15),
        epochs=25, upper_epochs=48, joint_epochs=5, lambda_class=2.0),
    "svhn-release": Preset(
        encoder=dict(channels=[64, 128], dropout=0.5, subtract_mean=True),
        image=dict(z_dim=16, noise_units=[128, 128], g_channels=[256, 256, 128, 128],
                   d_family="allconv", d_channels=[96, 96, 192, 192, 192, 192], d_batch_norm=True,
                   input_noise=0.05, dropout=0.1, joint_dropout=0.3, adversarial="class_logits",
                   adaptive_steps=True, epochs=200),
        map=dict(z_dim=32, noise_units=[128], g_channels=[256, 128], d_family="strided",
                 d_channels=[192, 192], d_kernel=3, d_batch_norm=True, input_noise=0.05,
                 adversarial="class_logits", adaptive_steps=True, epochs=200),
        vector=dict(noise_units=[256], condition_units=[512], d_units=[512, 512],
                    d_batch_norm=True, input_noise=0.2, joint_hidden_noise=0.2,
                    adversarial="class_logits", adaptive_steps=True, epochs=200),
        joint=dict(epochs=200, adaptive_steps=True),
        unlabelled=dict(views=PHOTOGRAPHS, epochs=60),
        batch_size=100),
    "svhn-small": _recipe(
        encoder=dict(channels=[32, 64], dropout=0.5, shift=2, subtract_mean=True, epochs=15),
        epochs=10, upper_epochs=48, joint_epochs=1, width=0.5, d_width=0.75,
        g_channels=[96, 64, 48], noise_units=64, lambda_class=2.0),
    "cifar10": _recipe(
        encoder=dict(channels=[64, 128], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=30),
        epochs=70, upper_epochs=64, joint_epochs=2, flip=True),
    "cifar10-release": Preset(
        encoder=dict(channels=[64, 128], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=30),
        image=dict(z_dim=16, noise_units=[128, 128], g_channels=[256, 256, 128, 128],
                   d_family="allconv", d_channels=[96, 96, 192, 192, 192, 192], d_batch_norm=True,
                   input_noise=0.05, dropout=0.1, joint_dropout=0.3, adversarial="class_logits",
                   adaptive_steps=True, epochs=200),
        map=dict(z_dim=32, noise_units=[128], g_channels=[256, 128], d_family="strided",
                 d_channels=[192, 192], d_kernel=3, d_batch_norm=True, input_noise=0.05,
                 adversarial="class_logits", adaptive_steps=True, epochs=200),
        vector=dict(noise_units=[256], condition_units=[512], d_units=[512, 512],
                    d_batch_norm=True, input_noise=0.2, joint_hidden_noise=0.2,
                    adversarial="class_logits", adaptive_steps=True, epochs=200),
        joint=dict(epochs=200, adaptive_steps=True),
        unlabelled=dict(views=PHOTOGRAPHS, epochs=60),
        batch_size=100),
    "cifar10-small": _recipe(
        encoder=dict(channels=[48, 80], dropout=0.2, flip=True, shift=2, subtract_mean=True,
                     epochs=20),
        epochs=20, upper_epochs=64, joint_epochs=2, flip=True, width=0.5,
        g_channels=[96, 64, 48], noise_units=64, learning_rate=0.0004),
}
# fmt: on
