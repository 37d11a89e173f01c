"""What a run is: dataclasses, the table of presets, `--set` overrides, JSON in and out.

A preset holds one *template* a kind of level; `make_config` picks a template for every level by what the
level generates (the image, a feature map, or a feature vector), so one preset serves any list of cuts.
"""

import dataclasses
import json
from dataclasses import dataclass, field

from sgan_tf.datasets import DATASETS
from sgan_tf.errors import UserError

ENCODER_LAYERS = (
    "conv1",
    "pool1",
    "conv2",
    "pool2",
    "fc3",
)  # where the encoder may be cut, bottom up
MAP_LAYERS = ENCODER_LAYERS[:4]


class ConfigError(UserError):
    """A setting that cannot be; the message names it and says what would do."""


@dataclass
class EncoderConfig:
    """The classifier E: conv1 - pool1 - conv2 - pool2 - fc3 - fc4."""

    channels: list[int] = field(default_factory=lambda: [32, 32])  # of conv1 and conv2
    kernel_size: int = 5  # of both convolutions
    padding: str = "valid"  # of both convolutions: valid or same
    units: int = 256  # of fc3
    dropout: float = 0.0  # on fc3, while training
    flip: bool = False  # random horizontal flips, while training
    shift: int = 0  # random shifts of each batch by up to so many pixels, while training
    subtract_mean: bool = False  # subtract the training set's per-pixel mean image (in D_0 too)
    epochs: int = 5
    learning_rate: float = 1e-3  # of Adam, decayed to 0 by a cosine
    weight_decay: float = 0.0


@dataclass
class LevelConfig:
    """One GAN of the stack: generator G_i, discriminator D_i, posterior Q_i."""

    z_dim: int = 50  # length of z_i, uniform on [0, 1)
    noise_units: list[int] = field(
        default_factory=list
    )  # dense layers on z_i before it meets the condition
    condition_units: list[int] = field(
        default_factory=list
    )  # dense layers on the condition (vectors only)
    g_units: list[int] = field(
        default_factory=lambda: [512, 512]
    )  # hidden layers when h_i is a vector
    g_channels: list[int] = field(
        default_factory=lambda: [128, 128, 64, 64]
    )  # maps, from the smallest up, when h_i is a map
    d_family: str = "dense"  # dense, strided (k x k stride-2 convolutions) or allconv (the release's CIFAR-10 network)
    d_channels: list[int] = field(default_factory=list)  # of the convolutions
    d_kernel: int = 5  # of the strided convolutions
    d_units: list[int] = field(
        default_factory=list
    )  # of the dense layers (strided: after the convolutions)
    d_batch_norm: bool = False  # on every trunk layer but the first
    d_dense_slope: float = (
        0.2  # of LeakyReLU after dense layers; 0 is ReLU (after convolutions it is 0.2)
    )
    q_activation: str = "linear"  # of Q_i's head: linear or sigmoid
    head_init: str = "normal"  # of both heads: normal (0.02) or glorot_uniform
    q_prior_init: bool = False  # Q_i's estimates start near z_i's mean, 0.5, in place of head_init
    input_noise: float = 0.0  # sigma of the Gaussian noise on D_i's input
    hidden_noise: float = 0.0  # sigma before each further layer of a dense D_i
    dropout: float = 0.0  # in an allconv D_i
    joint_hidden_noise: float = 0.0  # hidden_noise in the joint stage
    joint_dropout: float = 0.0  # dropout in the joint stage
    adversarial: str = (
        "binary"  # binary (Eq. 4 and 5) or class_logits (the release's CIFAR-10 form)
    )
    lambda_adv: float = (
        1.0  # weight of L_adv; each weight at 0 removes its term and the term's cost
    )
    lambda_cond: float = 1.0  # weight of L_cond
    lambda_ent: float = 10.0  # weight of L_ent
    posterior_weight: float = 1.0  # of L_ent in D's and Q's objective, times lambda_ent
    lambda_label: float = 1.0  # weight of D's label loss (class_logits only)
    generator_steps: int = 1  # G updates for each D update
    adaptive_steps: bool = False  # 1 to 7 G updates instead, by D's loss
    epochs: int = 20
    learning_rate: float = 1e-4  # of both Adams
    beta_1: float = 0.5  # of both Adams


@dataclass
class JointConfig:
    """The joint stage: all levels end to end, started from the levels trained alone."""

    epochs: int = 5
    lower_weight: float = 0.01  # a generator adds this times the objective of the level below
    generator_steps: int = 1
    adaptive_steps: bool = False
    learning_rate: float = 1e-4
    beta_1: float = 0.5


@dataclass
class Config:
    """All that decides the weights a run ends with, but for the images and the versions of the libraries."""

    dataset: str = "digits"
    preset: str = "digits"
    image_size: int = 8  # side in pixels
    seed: int = 0
    cuts: list[str] = field(
        default_factory=lambda: ["fc3"]
    )  # the layers where E is cut, bottom up; none: one level
    batch_size: int = 100  # over all devices together
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    levels: list[LevelConfig] = field(
        default_factory=list
    )  # bottom up: levels.0 generates the image
    joint: JointConfig = field(default_factory=JointConfig)

    def stages(self):
        """Returns `{stage name: epochs}` in the order of training; a stack of one level has no joint stage."""
        stages = {"encoder": self.encoder.epochs}
        stages.update({f"level{i}": level.epochs for i, level in enumerate(self.levels)})
        if len(self.levels) > 1 and self.joint.epochs:
            stages["joint"] = self.joint.epochs
        return stages

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """Inverse of `to_json`. Raises `ConfigError` when the text is no configuration of this version."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), json.loads(text)))
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            raise ConfigError(
                f"not a configuration of this version: {_first_line(error)}"
            ) from error

    def differences(self, other):
        """Returns `["name: ours -> theirs", ...]` for every dotted name in which two configurations differ."""
        ours, theirs = _flatten(dataclasses.asdict(self)), _flatten(dataclasses.asdict(other))
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        return [
            f"{name}: {ours.get(name, 'absent')} -> {theirs.get(name, 'absent')}" for name in names
        ]


@dataclass(frozen=True)
class Preset:
    """A row of the table: templates for the encoder, for each kind of level and for the joint stage."""

    encoder: EncoderConfig
    image: LevelConfig  # for h_0
    map: LevelConfig  # for a feature map
    vector: LevelConfig  # for fc3
    joint: JointConfig
    batch_size: int = 100


def _mnist_presets():
    encoder = EncoderConfig(epochs=5)
    release = dict(z_dim=50, q_activation="sigmoid", d_dense_slope=0.0, epochs=200)
    vector = LevelConfig(
        g_units=[512, 512],
        d_family="dense",
        d_units=[256, 256],
        head_init="glorot_uniform",
        **release,
    )
    image = LevelConfig(
        noise_units=[128],
        g_channels=[128, 128, 64, 64],
        d_family="strided",
        d_channels=[32, 64, 128],
        d_units=[256],
        **release,
    )
    literal = Preset(encoder, image, _map_level(epochs=200), vector, JointConfig(epochs=200))
    # The release's bottom level ignores z_0: a shorter z_0, batch normalisation in D_0 and a linear Q head mend that. Starting Q at
    # the prior keeps its first errors from swamping G, so L_ent can weigh twice as much.
    image = dataclasses.replace(
        image,
        z_dim=16,
        d_units=[],
        d_batch_norm=True,
        q_activation="linear",
        q_prior_init=True,
        lambda_ent=20.0,
        input_noise=0.05,
        epochs=20,
    )
    vector = dataclasses.replace(vector, d_dense_slope=0.2, q_activation="linear", epochs=20)
    return literal, Preset(encoder, image, _map_level(epochs=20), vector, JointConfig(epochs=3))


def _colour_preset(encoder, width=1.0):
    """The release's CIFAR-10 recipe, which the paper gives to SVHN too; `width` scales the GANs' hidden layers, to multiples of 8."""

    def scaled(*widths):
        return [max(8, 8 * round(width * w / 8)) for w in widths]

    both = dict(adversarial="class_logits", adaptive_steps=True, d_batch_norm=True, epochs=200)
    return Preset(
        encoder=encoder,
        image=LevelConfig(
            z_dim=16,
            noise_units=scaled(128, 128),
            g_channels=scaled(256, 256, 128, 128),
            d_family="allconv",
            d_channels=scaled(96, 96, 192, 192, 192, 192),
            input_noise=0.05,
            dropout=0.1,
            joint_dropout=0.3,
            **both,
        ),
        map=_map_level(scaled(256, 128), scaled(192, 192), **both),
        vector=LevelConfig(
            z_dim=50,
            noise_units=scaled(256),
            condition_units=scaled(512),
            g_units=scaled(512, 512),
            d_family="dense",
            d_units=scaled(512, 512),
            input_noise=0.2,
            joint_hidden_noise=0.2,
            **both,
        ),
        joint=JointConfig(epochs=200, adaptive_steps=True),
    )


def _small_preset(encoder):
    """The same recipe in nets that a CPU trains, for a tenth of the release's epochs: larger steps, a shorter z_1."""
    row = _colour_preset(encoder, width=0.1875)

    # While Q knows nothing of z, L_ent at its full weight is noise that keeps a narrow trunk from learning the classes.
    def level(template, learning_rate, **changes):
        return dataclasses.replace(
            template, epochs=20, learning_rate=learning_rate, posterior_weight=0.1, **changes
        )

    return dataclasses.replace(
        row,
        image=level(row.image, 1e-3),
        map=level(row.map, 4e-4),
        vector=level(row.vector, 4e-4, z_dim=16),
        joint=dataclasses.replace(row.joint, epochs=5, learning_rate=4e-4),
    )


def _map_level(g_channels=(128, 64), d_channels=(128, 128), **changes):
    """The paper stacks no feature maps; this follows its image level at a map's smaller size."""
    settings = dict(
        z_dim=32,
        noise_units=[128],
        g_channels=list(g_channels),
        d_family="strided",
        d_channels=list(d_channels),
        d_kernel=3,
        d_batch_norm=True,
        input_noise=0.05,
    )
    return LevelConfig(**{**settings, **changes})


def _digits_preset():
    fast = dict(learning_rate=5e-4, d_batch_norm=True, epochs=120)
    return Preset(
        encoder=EncoderConfig(
            channels=[32, 64], kernel_size=3, padding="same", units=64, dropout=0.3, epochs=40
        ),
        image=LevelConfig(
            z_dim=8,
            noise_units=[32],
            g_channels=[64, 64, 32, 32],
            d_family="strided",
            d_channels=[32, 64],
            d_kernel=3,
            input_noise=0.05,
            **fast,
        ),
        map=_map_level([64, 64], [64, 64], **{**fast, "z_dim": 16}),
        vector=LevelConfig(
            z_dim=16,
            g_units=[128, 128],
            d_family="dense",
            d_units=[128, 128],
            **{**fast, "d_batch_norm": False},
        ),
        joint=JointConfig(epochs=30, learning_rate=1e-4),
        batch_size=50,
    )


_RELEASE, _MNIST = _mnist_presets()
_SVHN_ENCODER = EncoderConfig(channels=[64, 128], dropout=0.5, subtract_mean=True)
_SVHN_SMALL_ENCODER = dataclasses.replace(_SVHN_ENCODER, channels=[32, 64])
_CIFAR10_ENCODER = dataclasses.replace(_SVHN_ENCODER, dropout=0.2, flip=True, shift=2, epochs=30)
PRESETS = {
    "digits": _digits_preset(),
    "mnist": _MNIST,
    "mnist-release": _RELEASE,
    "svhn": _colour_preset(_SVHN_ENCODER),
    "svhn-small": _small_preset(_SVHN_SMALL_ENCODER),
    "cifar10": _colour_preset(_CIFAR10_ENCODER),
    "cifar10-small": _small_preset(_CIFAR10_ENCODER),
}


def make_config(
    dataset="digits", preset=None, cuts=None, image_size=None, epochs=None, seed=0, overrides=()
):
    """Builds and checks the configuration of a run.

    Args:
        dataset: One of `DATASETS`.
        preset: A name in `PRESETS`; by default the data set's own.
        cuts: Names out of `ENCODER_LAYERS` where E is cut, bottom up; `()` for one level, label -> image.
            By default `("fc3",)`, the paper's.
        image_size: Side of the square images in pixels; by default the data set's own (32 for `folder`).
        epochs: Epochs of every stage, in place of the preset's.
        seed: Of the order of the images, the initial weights and all noise.
        overrides: Strings `"dotted.name=value"`, as `"levels.0.lambda_ent=0"`.

    Returns:
        A `Config`.

    Raises:
        ConfigError: for anything that cannot be, naming it.
    """
    from omegaconf import OmegaConf

    if dataset not in DATASETS:
        raise ConfigError(
            f"--dataset: unknown data set '{dataset}'; choose from {', '.join(DATASETS)}"
        )
    preset = preset or DATASETS[dataset].preset
    if preset not in PRESETS:
        raise ConfigError(f"--preset: unknown preset '{preset}'; choose from {', '.join(PRESETS)}")
    cuts = ["fc3"] if cuts is None else list(cuts)
    _check_cuts(cuts)
    row = PRESETS[preset]
    templates = [row.image] + [row.map if cut in MAP_LAYERS else row.vector for cut in cuts]
    config = Config(
        dataset,
        preset,
        image_size or DATASETS[dataset].side,
        seed,
        cuts,
        row.batch_size,
        row.encoder,
        templates,
        row.joint,
    )
    tree = OmegaConf.structured(config)
    if epochs is not None:
        for stage in [tree.encoder, *tree.levels, tree.joint]:
            stage.epochs = epochs
    for override in overrides:
        _apply(tree, override)
    config = OmegaConf.to_object(tree)
    _validate(config)
    return config


def _check_cuts(cuts):
    for cut in cuts:
        if cut not in ENCODER_LAYERS:
            raise ConfigError(
                f"--cuts: unknown layer '{cut}'; choose from {', '.join(ENCODER_LAYERS)}, or none"
            )
    if list(cuts) != sorted(set(cuts), key=ENCODER_LAYERS.index):
        raise ConfigError(
            f"--cuts: {','.join(cuts)} is not in bottom-up order without repeats; the order is {', '.join(ENCODER_LAYERS)}"
        )


def _apply(tree, override):
    """Applies one `name=value` to an OmegaConf tree, which checks the name and the type."""
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    name, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set: '{override}' is not name=value")
    if name.split(".")[0] in ("dataset", "preset", "cuts", "image_size", "seed"):
        raise ConfigError(f"--set: {name} has a flag of its own, --{name}")
    try:
        before = OmegaConf.select(tree, name, throw_on_missing=True)
        # YAML reads 1e-4 as a string; OmegaConf's typed nodes convert strings, so only lists need YAML.
        value = yaml.safe_load(text) if OmegaConf.is_list(before) else text
        if (
            before is None
            or OmegaConf.is_dict(before)
            or (OmegaConf.is_list(before) and not isinstance(value, list))
        ):
            raise ConfigError(
                f"--set: {name} is not a setting, or {text!r} is not a value for it; --dry_run lists them"
            )
        OmegaConf.update(tree, name, value)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"--set: {name}={text}: {_first_line(error)}") from error


def _validate(config):
    def require(good, name, value, need):
        if not good:
            raise ConfigError(f"{name}: {value} is not {need}")

    require(config.batch_size > 1, "batch_size", config.batch_size, "at least 2")
    require(0 <= config.seed < 2**31, "--seed", config.seed, "in [0, 2^31)")
    require(
        len(config.levels) == len(config.cuts) + 1,
        "levels",
        len(config.levels),
        "one more than the cuts",
    )
    sections = {
        "encoder": config.encoder,
        "joint": config.joint,
        **{f"levels.{i}": level for i, level in enumerate(config.levels)},
    }
    for section, settings in sections.items():
        for key, value in dataclasses.asdict(settings).items():
            name = f"{section}.{key}"
            allowed = _CHOICES.get(key)
            if allowed:
                require(value in allowed, name, value, f"one of {', '.join(allowed)}")
            elif key == "epochs":
                least = 0 if section == "joint" else 1
                require(value >= least, name, value, f"at least {least}")
            elif isinstance(value, list):
                require(all(v > 0 for v in value), name, value, "a list of positive numbers")
            elif key in ("dropout", "joint_dropout", "beta_1"):
                require(0 <= value < 1, name, value, "in [0, 1)")
            elif key in (
                "z_dim",
                "d_kernel",
                "generator_steps",
                "units",
                "kernel_size",
                "learning_rate",
                "posterior_weight",
            ):
                require(value > 0, name, value, "above 0")
            elif isinstance(value, float) or key == "shift":
                require(value >= 0, name, value, "at least 0")
    require(
        len(config.encoder.channels) == 2,
        "encoder.channels",
        config.encoder.channels,
        "two numbers, for conv1 and conv2",
    )
    check_image_size(config.encoder, config.image_size)
    for i, (level, target) in enumerate(zip(config.levels, ["image", *config.cuts])):
        families = ("dense",) if target == "fc3" else ("strided", "allconv")
        require(
            level.d_family in families,
            f"levels.{i}.d_family",
            level.d_family,
            f"one of {', '.join(families)}, for {target}",
        )
        depth = {"dense": 0, "strided": 1, "allconv": 6}[level.d_family]
        enough = len(level.d_channels) == 6 if depth == 6 else len(level.d_channels) >= depth
        require(
            enough,
            f"levels.{i}.d_channels",
            level.d_channels,
            f"{'six numbers' if depth == 6 else 'at least one number'}, as {level.d_family} takes",
        )
        require(
            level.d_family != "dense" or level.d_units,
            f"levels.{i}.d_units",
            level.d_units,
            "at least one number, as dense takes",
        )
        require(
            level.lambda_adv + level.lambda_cond + level.lambda_ent > 0,
            f"levels.{i}",
            "all lambda 0",
            "an objective",
        )


_CHOICES = {
    "padding": ("valid", "same"),
    "d_family": ("dense", "strided", "allconv"),
    "q_activation": ("linear", "sigmoid"),
    "head_init": ("normal", "glorot_uniform"),
    "adversarial": ("binary", "class_logits"),
}


def check_image_size(encoder, side):
    """Raises `ConfigError` when the encoder's maps do not divide evenly, so that no generator could mirror them.

    Args:
        encoder: An `EncoderConfig`.
        side: Of the images, in pixels.
    """

    def fits(side):
        for name in MAP_LAYERS:
            if name.startswith("pool"):
                if side % 2:
                    return False
                side //= 2
            elif encoder.padding == "valid":
                side -= encoder.kernel_size - 1
            if side < 1:
                return False
        return True

    if not fits(side):
        nearest = sorted(
            (s for s in range(1, 2 * side + 65) if fits(s)), key=lambda s: abs(s - side)
        )[:4]
        raise ConfigError(
            f"--image_size: the networks cannot produce {side} x {side} pixels; sizes near it that they can: "
            f"{', '.join(map(str, sorted(nearest)))}"
        )


def _flatten(tree, prefix=""):
    """`{"a": [{"b": 1}]}` becomes `{"a.0.b": 1}`; lists of numbers stay whole."""
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        items = enumerate(tree)
    else:
        return {prefix: tree}
    flat = {}
    for key, value in items:
        flat.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def _first_line(error):
    return str(error).strip().splitlines()[0]
