"""The configuration of a run: dataclasses of settings, and their JSON.

A setting's constraint is declared at its field. The default of a new setting must be what the code
did before it had that setting. If that is impossible, raise `SCHEMA` and add a function to
`migrations.py`, so that run folders of every version can be resumed.

Names in the models' registries (families of networks, losses, kinds of noise) are plain strings
here; `sgan_tf.models.build.check_config` looks them up in the registries.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from sgan_tf.config.constraints import (
    at_least,
    choice,
    constrained,
    fraction,
    positive,
    sizes,
    some_of,
)
from sgan_tf.config.migrations import SCHEMA, migrated
from sgan_tf.config.validation import INPUT_RANGES, PRECISIONS, ConfigError, validate
from sgan_tf.errors import first_line
from sgan_tf.utils.labels import clusters

Settings = TypeVar("Settings")  # one of the dataclasses below


@dataclass
class EncoderConfig:
    """The classifier E: conv1 - pool1 - conv2 - pool2 - fc3 - fc4."""

    channels: list[int] = constrained(  # channels of conv1 and conv2
        [32, 32],
        "two positive numbers, for conv1 and conv2",
        lambda value: len(value) == 2 and min(value) > 0,
    )
    kernel_size: int = positive(5)  # kernel side of both convolutions
    padding: str = choice("valid", "same")  # padding of both convolutions
    units: int = positive(256)  # units of fc3
    dropout: float = fraction(0.0)  # dropout rate on fc3 during training
    flip: bool = False  # random horizontal flips during training
    shift: int = at_least(0, 0)  # largest random shift of each batch during training, in pixels
    subtract_mean: bool = False  # subtract the training set's mean image (in D_0 too)
    epochs: int = at_least(0, 5)  # 0 for a given classifier only
    learning_rate: float = positive(1e-3)  # initial rate of Adam, decayed to 0 by a cosine
    weight_decay: float = at_least(0, 0.0)
    # Without labels, E learns equal features for two views of an image. A name in OBJECTIVES:
    objective: str = "vicreg"
    views: list[str] = constrained(  # differences of the views: names in AUGMENTATIONS
        ["affine", "color"], "at least one", lambda value: len(value) > 0
    )
    expander: list[int] = constrained(  # units of the dense layers after fc3
        [256, 256], "at least one positive number", lambda value: value and min(value) > 0
    )


@dataclass
class ClassifierConfig:
    """A given classifier as E, instead of the one that an `EncoderConfig` describes."""

    sha256: str  # hash of its file
    input_range: str = choice(*INPUT_RANGES)  # range of the images that it expects
    custom_objects: list[str] = field(default_factory=list)  # module:name of its custom layers
    shapes: list[list[int]] = field(default_factory=list)  # shapes of h_0, …, h_{N-1}
    # activations of h_0, …, h_{N-1}, as measured: sigmoid, tanh, relu or linear
    activations: list[str] = field(default_factory=list)


@dataclass
class GeneratorConfig:
    """The network G_i, as `build_generator` makes it."""

    # A name in GENERATORS. For vectors: dense. For maps: mirror (undoes E_i layer by layer),
    # pyramid (doublings) or shapes (fits any stage).
    family: str = "dense"
    noise_units: list[int] = sizes([])  # dense layers on z_i alone
    condition_units: list[int] = sizes([])  # dense layers on a vector condition
    condition_norm: bool = False  # batch normalization of a vector condition, without scale
    units: list[int] = sizes([512, 512])  # units of the dense layers that make a vector
    channels: list[int] = sizes([128, 128, 64, 64])  # channels of the maps, from the smallest up
    kernel_size: int = at_least(0, 0)  # kernel that mirrors a pooling; 0: that of E_i's convolution
    # units of the embedding of [h_{i+1}, z_i] that modulates the normalizations; 0: learned scales
    modulation: int = at_least(0, 0)


@dataclass
class DiscriminatorConfig:
    """The networks D_i and Q_i, as `build_discriminator` makes them."""

    # A name in DISCRIMINATORS. For vectors: dense. For maps: strided (k x k, stride 2), allconv
    # (the authors' network on CIFAR-10) or halved (from half the side down, alternating 3 x 3 with
    # 4 x 4 of stride 2).
    family: str = "dense"
    channels: list[int] = sizes([])  # channels of the convolutions
    kernel_size: int = positive(5)  # kernel side of the strided convolutions
    units: list[int] = sizes([])  # units of the dense layers (strided: after the maps)
    batch_norm: bool = False  # on all trunk layers but the first (allconv: and the last)
    spectral_norm: bool = False  # divide D_i's weights, not Q_i's head, by their spectral norms
    # targets of the projection of D_i's features: the labels, the condition h_{i+1}, both or none
    projection: list[str] = some_of("labels", "condition")
    features_weight: float = at_least(0, 0.1)  # weight of the mean logit of the heads on E_i's maps
    dense_slope: float = at_least(0, 0.2)  # slope of LeakyReLU after dense layers; 0: ReLU
    head_init: str = choice("normal", "glorot_uniform")  # of both heads; normal: stddev 0.02
    posterior_activation: str = choice("linear", "sigmoid")  # activation of Q_i's head
    posterior_prior_init: bool = False  # Q_i's estimates start near z_i's mean
    input_noise: float = at_least(0, 0.0)  # sigma of the Gaussian noise on the input
    hidden_noise: float = at_least(0, 0.0)  # the same after each hidden layer of dense
    dropout: float = fraction(0.0)  # dropout rate in allconv
    joint_hidden_noise: float = at_least(0, 0.0)  # hidden_noise in the joint stage
    joint_dropout: float = fraction(0.0)  # dropout in the joint stage


@dataclass
class LossConfig:
    """The losses of G_i, D_i and Q_i: the weights of Eq. (3), and the names of their terms."""

    adversarial: str = "binary"  # a name in ADVERSARIAL
    lambda_adv: float = at_least(0, 1.0)  # weight of L_adv; a weight of 0 removes a term's cost too
    lambda_cond: float = at_least(0, 1.0)  # weight of L_cond
    lambda_ent: float = at_least(0, 10.0)  # weight of L_ent
    lambda_label: float = at_least(0, 1.0)  # weight of D's label loss (class_logits only)
    posterior_weight: float = positive(1.0)  # factor of lambda_ent in the objective of D and Q
    # units of L_cond below the top and of L_ent: raw, or variance (divided by that of h and of z)
    units: str = choice("raw", "variance")
    regularizers: dict[str, float] = constrained(  # of D: names in REGULARIZERS, with weights
        {}, "names with weights above 0", lambda value: all(w > 0 for w in value.values())
    )
    # n: each D update is regularized with probability 1/n, and the penalty is multiplied by n
    regularize_every: int = positive(1)
    augment: list[str] = field(default_factory=list)  # names in AUGMENTATIONS, for D's inputs
    cond_augment: list[str] = field(default_factory=list)  # the same, for E's inputs in L_cond


@dataclass
class OptimizerConfig:
    """The updates of D and G, which have one Adam optimizer each."""

    learning_rate: float = positive(1e-4)  # initial rate of both
    decay_from: float = constrained(  # share of the steps after which the rate decays; 1: never
        1.0, "in [0, 1]", lambda value: 0 <= value <= 1
    )
    beta_1: float = fraction(0.5)  # beta_1 of both
    generator_steps: int = positive(1)  # G updates per D update
    adaptive_steps: bool = False  # 1 to 7 G updates instead, depending on D's loss


@dataclass
class LevelConfig:
    """One GAN of the stack: generator G_i, discriminator D_i, posterior Q_i.

    `build` makes the networks from the last two settings, which are None for networks that you
    write yourself. `LevelGAN` reads all others except `epochs` and most of `optimizer`.
    """

    z_dim: int = positive(50)  # length of z_i
    noise: str = "uniform"  # the distribution of z_i, a name in NOISE: uniform on [0, 1), or normal
    epochs: int = at_least(0, 20)  # epochs of training it alone; 0: joint stage only
    # decay of the moving average of G's weights, which draws the samples; 0: no average
    ema: float = fraction(0.0)
    # layers of the frozen E_i whose maps D_i takes too, such as pool1, pool2
    features: list[str] = field(default_factory=list)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    generator: GeneratorConfig | None = None
    discriminator: DiscriminatorConfig | None = None


@dataclass
class JointConfig:
    """The joint stage, which trains all levels end to end after each was trained alone."""

    epochs: int = at_least(0, 5)
    lower_weight: float = at_least(0, 0.01)  # weight of J_{i-1} in G_i's objective J_i
    lambda_class: float = at_least(0, 0.0)  # weight of L_class, of the class that E sees in images
    # the loss that sets the adaptive steps: D_0's, or the least of all levels
    adaptive_watch: str = choice("bottom", "least")
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass
class Config:
    """All settings of a run. With the images and the library versions they determine its weights.

    Example:

    >>> from sgan_tf import make_config
    >>> config = make_config("digits")
    >>> Config.from_json(config.to_json()) == config
    True
    >>> config.differences(make_config("digits", seed=1))
    ['seed: 0 -> 1']
    """

    dataset: str = "digits"
    preset: str = "digits"
    image_size: int = 8  # side in pixels
    # condition of the top level: given (the data set's labels), none (a single class) or clusters:K
    # (K clusters of E's features). E is trained without labels for the last two.
    labels: str = constrained(
        "given",
        "given, none or clusters:K, K at least 2",
        lambda value: value in ("given", "none") or clusters(value),
    )
    seed: int = constrained(0, "in [0, 2^31)", lambda value: 0 <= value < 2**31)
    cuts: list[str] = field(default_factory=lambda: ["fc3"])  # cuts of E, bottom up; []: one level
    batch_size: int = at_least(2, 100)  # images per step on all devices together
    precision: str = choice(*PRECISIONS)  # precision of convolutions and large matrices
    flip: bool = False  # levels see each image or its mirror image, with the features of either
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    classifier: ClassifierConfig | None = None  # your own classifier, used instead of `encoder`
    levels: list[LevelConfig] = field(default_factory=list)  # bottom up: 0 generates the image
    joint: JointConfig = field(default_factory=JointConfig)

    def sections(self) -> dict:
        """Returns `{stage name: settings}` in the order of training."""
        levels = {f"level{i}": level for i, level in enumerate(self.levels)}
        return {"encoder": self.encoder, **levels, "joint": self.joint}

    def stages(self) -> dict[str, int]:
        """Returns `{stage name: epochs}` of the trained stages, in the order of training.

        A stack of one level has no joint stage. A level with 0 epochs is trained only in the joint
        stage.
        """
        stages = {name: settings.epochs for name, settings in self.sections().items()}
        if len(self.levels) < 2:
            del stages["joint"]
        return {name: epochs for name, epochs in stages.items() if epochs}

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Reads the text of `to_json`, of this or an earlier version.

        Lines that start with `#`, which `train.py --dry_run` prints with a configuration, are
        ignored.

        Args:
            text: String. The JSON.

        Returns:
            `Config`.

        Raises:
            ConfigError: If the text is not a configuration.
        """
        kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        try:
            tree = json.loads("\n".join(kept))
            if not isinstance(tree, dict):
                raise ConfigError("not a configuration: it holds no settings by their names")
            config = from_tree(cls, migrated(tree))
        except (ValueError, TypeError, LookupError, AttributeError) as e:
            if isinstance(e, ConfigError):
                raise
            raise ConfigError(f"not a configuration: {first_line(e)}") from e
        validate(config)
        return config

    def differences(self, other: "Config") -> list[str]:
        """Returns the settings that differ, as strings `"name: ours -> theirs"`.

        Args:
            other: `Config`. The configuration to compare with.
        """
        ours, theirs = _flatten(dataclasses.asdict(self)), _flatten(dataclasses.asdict(other))
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        return [
            f"{name}: {ours.get(name, 'absent')} -> {theirs.get(name, 'absent')}" for name in names
        ]


def from_tree(cls: type[Settings], tree: dict) -> Settings:
    """Makes a dataclass of settings from a tree of values.

    Args:
        cls: Class. One of this module's dataclasses.
        tree: Dictionary. Nested dictionaries and lists, as `dataclasses.asdict` returns. Missing
            settings have their defaults.

    Returns:
        Instance of `cls`.

    Raises:
        ConfigError: If a name is unknown, or a value has the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(cls), tree)
        return cast(Settings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise ConfigError(f"not a configuration: {first_line(error)}") from error


def _flatten(tree, prefix=""):
    """Converts `{"a": [{"b": 1}]}` to `{"a.0.b": 1}`; lists of other values stay whole."""
    if isinstance(tree, dict):
        items: Iterable = tree.items()
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        items = enumerate(tree)
    else:
        return {prefix: tree}
    flat = {}
    for key, value in items:
        flat.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
    return flat
