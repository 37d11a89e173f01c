"""What a run is: dataclasses of settings, and their JSON.

A setting's constraint is written at its field. The default of a new setting is what the code did
before it had that setting. Where that is impossible, raise `SCHEMA` and add a function to
`migrations.py`, so that run folders of every version can be resumed.

Names that a registry of the models owns (families of networks, losses, kinds of noise) are plain
strings here; `sgan_tf.models.build.check_config` asks the registries.
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

    channels: list[int] = constrained(  # of conv1 and conv2
        [32, 32],
        "two positive numbers, for conv1 and conv2",
        lambda value: len(value) == 2 and min(value) > 0,
    )
    kernel_size: int = positive(5)  # of both convolutions
    padding: str = choice("valid", "same")  # of both convolutions
    units: int = positive(256)  # of fc3
    dropout: float = fraction(0.0)  # on fc3, while training
    flip: bool = False  # random horizontal flips, while training
    shift: int = at_least(0, 0)  # random shifts of each batch by up to so many pixels, in training
    subtract_mean: bool = False  # subtract the training set's mean image (in D_0 too)
    epochs: int = at_least(0, 5)  # 0 for a given classifier alone
    learning_rate: float = positive(1e-3)  # of Adam, decayed to 0 by a cosine
    weight_decay: float = at_least(0, 0.0)
    # Without labels E learns to see two views of an image as one. A name in OBJECTIVES:
    objective: str = "vicreg"
    views: list[str] = constrained(  # how they differ: names in AUGMENTATIONS
        ["affine", "color"], "at least one", lambda value: len(value) > 0
    )
    expander: list[int] = constrained(  # units of the dense layers behind fc3
        [256, 256], "at least one positive number", lambda value: value and min(value) > 0
    )


@dataclass
class ClassifierConfig:
    """A given classifier as E, instead of the one that an `EncoderConfig` describes."""

    sha256: str  # of its file
    input_range: str = choice(*INPUT_RANGES)  # what it expects of images
    custom_objects: list[str] = field(default_factory=list)  # module:name of its own layers
    shapes: list[list[int]] = field(default_factory=list)  # of h_0, …, h_{N-1}
    # what gives h_0, …, h_{N-1}, as measured: sigmoid, tanh, relu or linear
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
    units: list[int] = sizes([512, 512])  # of the dense layers that make a vector
    channels: list[int] = sizes([128, 128, 64, 64])  # of the maps, from the smallest up
    kernel_size: int = at_least(0, 0)  # that undoes a pooling; 0: that of the convolutions beside
    # units of the embedding of [h_{i+1}, z_i] that modulates the normalizations; 0: learned scales
    modulation: int = at_least(0, 0)


@dataclass
class DiscriminatorConfig:
    """The networks D_i and Q_i, as `build_discriminator` makes them."""

    # A name in DISCRIMINATORS. For vectors: dense. For maps: strided (k x k, stride 2), allconv
    # (the authors' network on CIFAR-10) or halved (from half the side down, 3 x 3 and 4 x 4 of
    # stride 2 in turn).
    family: str = "dense"
    channels: list[int] = sizes([])  # of the convolutions
    kernel_size: int = positive(5)  # of the strided convolutions
    units: list[int] = sizes([])  # dense layers (strided: after the maps)
    batch_norm: bool = False  # on every trunk layer but the first
    spectral_norm: bool = False  # D_i's weights over their largest singular values; Q_i's stay
    # what D_i's features are projected on: the labels, the condition h_{i+1}, both or none
    projection: list[str] = some_of("labels", "condition")
    features_weight: float = at_least(0, 0.1)  # of the mean logit of the heads on E_i's maps
    dense_slope: float = at_least(0, 0.2)  # of LeakyReLU after dense layers; 0 is ReLU
    head_init: str = choice("normal", "glorot_uniform")  # of both heads: normal has stddev 0.02
    posterior_activation: str = choice("linear", "sigmoid")  # of Q_i's head
    posterior_prior_init: bool = False  # Q_i's estimates start near z_i's mean
    input_noise: float = at_least(0, 0.0)  # sigma of the Gaussian noise on the input
    hidden_noise: float = at_least(0, 0.0)  # sigma before each further layer of dense
    dropout: float = fraction(0.0)  # in allconv
    joint_hidden_noise: float = at_least(0, 0.0)  # hidden_noise in the joint stage
    joint_dropout: float = fraction(0.0)  # dropout in the joint stage


@dataclass
class LossConfig:
    """What G_i, D_i and Q_i minimize: the weights of Eq. (3), and the names of their terms."""

    adversarial: str = "binary"  # a name in ADVERSARIAL
    lambda_adv: float = at_least(0, 1.0)  # weight of L_adv; 0 removes a term, and its cost
    lambda_cond: float = at_least(0, 1.0)  # weight of L_cond
    lambda_ent: float = at_least(0, 10.0)  # weight of L_ent
    lambda_label: float = at_least(0, 1.0)  # weight of D's label loss (class_logits only)
    posterior_weight: float = positive(1.0)  # of L_ent in D's and Q's objective, times lambda_ent
    # of L_cond below the top, and of L_ent: raw, or variance (over the variance of h and of z)
    units: str = choice("raw", "variance")
    regularizers: dict[str, float] = constrained(  # of D: names in REGULARIZERS, and weights
        {}, "names with weights above 0", lambda value: all(w > 0 for w in value.values())
    )
    # D updates between two that are regularized; the penalty is then so many times larger
    regularize_every: int = positive(1)
    augment: list[str] = field(default_factory=list)  # of what D sees: names in AUGMENTATIONS
    cond_augment: list[str] = field(default_factory=list)  # of what E sees in L_cond


@dataclass
class OptimizerConfig:
    """How D and G are updated, by an Adam each."""

    learning_rate: float = positive(1e-4)  # of both
    decay_from: float = constrained(  # share of the steps after which it falls to 0; 1: never
        1.0, "in [0, 1]", lambda value: 0 <= value <= 1
    )
    beta_1: float = fraction(0.5)  # of both
    generator_steps: int = positive(1)  # G updates for each D update
    adaptive_steps: bool = False  # 1 to 7 G updates instead, by D's loss


@dataclass
class LevelConfig:
    """One GAN of the stack: generator G_i, discriminator D_i, posterior Q_i.

    `LevelGAN` takes all but the last two, from which `build` makes its networks. They are None for
    networks that you write yourself.
    """

    z_dim: int = positive(50)  # length of z_i
    noise: str = "uniform"  # the distribution of z_i, a name in NOISE: uniform on [0, 1), or normal
    epochs: int = at_least(0, 20)  # alone; 0: this level is trained in the joint stage only
    # decay of the average of G's weights over its updates, which samples are drawn with; 0: none
    ema: float = fraction(0.0)
    # layers of the frozen E_i whose maps D_i is given too, as pool1, pool2
    features: list[str] = field(default_factory=list)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    generator: GeneratorConfig | None = None
    discriminator: DiscriminatorConfig | None = None


@dataclass
class JointConfig:
    """The joint stage: all levels end to end, from where the levels trained alone have come."""

    epochs: int = at_least(0, 5)
    lower_weight: float = at_least(0, 0.01)  # a generator adds this times the objective below it
    lambda_class: float = at_least(0, 0.0)  # weight of L_class, on the class E reads in the image
    # whose loss sets the adaptive steps: D_0's, or the least of all levels
    adaptive_watch: str = choice("bottom", "least")
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass
class Config:
    """All that decides the weights a run ends with, but for images and versions of libraries.

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
    # what the top level is conditioned on: given (the data set's labels), none (nothing: one class)
    # or clusters:K (of E's features, E being trained without labels as for none)
    labels: str = constrained(
        "given",
        "given, none or clusters:K, K at least 2",
        lambda value: value in ("given", "none") or clusters(value),
    )
    seed: int = constrained(0, "in [0, 2^31)", lambda value: 0 <= value < 2**31)
    cuts: list[str] = field(default_factory=lambda: ["fc3"])  # of E, bottom up; none: one level
    batch_size: int = at_least(2, 100)  # over all devices together
    precision: str = choice(*PRECISIONS)  # of convolutions and large matrices
    flip: bool = False  # levels see each image, or its mirror image with features of its own
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    classifier: ClassifierConfig | None = None  # given in the encoder's place
    levels: list[LevelConfig] = field(default_factory=list)  # bottom up: 0 generates the image
    joint: JointConfig = field(default_factory=JointConfig)

    def sections(self) -> dict:
        """Returns `{stage name: settings}` in the order of training."""
        levels = {f"level{i}": level for i, level in enumerate(self.levels)}
        return {"encoder": self.encoder, **levels, "joint": self.joint}

    def stages(self) -> dict[str, int]:
        """Returns `{stage name: epochs}` of what is trained, in that order.

        A stack of one level has no joint stage; a level without epochs is trained in it alone.
        """
        stages = {name: settings.epochs for name, settings in self.sections().items()}
        if len(self.levels) < 2:
            del stages["joint"]
        return {name: epochs for name, epochs in stages.items() if epochs}

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Inverse of `to_json`, for the text of every version.

        Lines that begin with `#`, which `train.py --dry_run` prints beside a configuration, are
        passed over.

        Raises:
            ConfigError: when the text is no configuration.
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
        """Returns `["name: ours -> theirs", ...]` for every setting in which two of them differ."""
        ours, theirs = _flatten(dataclasses.asdict(self)), _flatten(dataclasses.asdict(other))
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        return [
            f"{name}: {ours.get(name, 'absent')} -> {theirs.get(name, 'absent')}" for name in names
        ]


def from_tree(cls: type[Settings], tree: dict) -> Settings:
    """Returns a dataclass of settings with the values of a tree, of which some may be missing.

    Args:
        cls: One of this module's dataclasses.
        tree: Nested dicts and lists, as `dataclasses.asdict` gives them.

    Raises:
        ConfigError: for an unknown name or a value of another type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(cls), tree)
        return cast(Settings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise ConfigError(f"not a configuration: {first_line(error)}") from error


def _flatten(tree, prefix=""):
    """`{"a": [{"b": 1}]}` becomes `{"a.0.b": 1}`; lists of numbers stay whole."""
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
