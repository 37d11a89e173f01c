"""What a run is: dataclasses, typed `name=value` overrides, JSON in and out.

A new field's default is what the code did before it had that field; where that cannot be, raise
`SCHEMA` and add a step to `_MIGRATIONS`. So run folders of every version go on.
"""

import copy
import dataclasses
import json
from dataclasses import dataclass, field

from sgan_tf.config.validation import ENCODER_LAYERS, ConfigError, validate
from sgan_tf.errors import first_line

SCHEMA = 2  # of config.json
# Settings with flags of their own.
_FLAGS = ("dataset", "preset", "cuts", "image_size", "labels", "seed", "precision")


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
    subtract_mean: bool = False  # subtract the training set's mean image (in D_0 too)
    epochs: int = 5
    learning_rate: float = 1e-3  # of Adam, decayed to 0 by a cosine
    weight_decay: float = 0.0
    # Without labels E learns to see two views of an image as one. A name in OBJECTIVES:
    objective: str = "vicreg"
    views: list[str] = field(default_factory=lambda: ["affine", "color"])  # how they differ: names
    expander: list[int] = field(default_factory=lambda: [256, 256])  # dense layers behind fc3


@dataclass
class ClassifierConfig:
    """A classifier of one's own as E, in the place of what an `EncoderConfig` describes."""

    sha256: str  # of its file
    input_range: str = "0..1"  # what it expects of images: a name in INPUT_RANGES
    custom_objects: list[str] = field(default_factory=list)  # module:name of layers of its own
    shapes: list[list[int]] = field(default_factory=list)  # of h_0, …, h_{N-1}
    # what gives h_0, …, h_{N-1}, as measured: sigmoid, tanh, relu or linear
    activations: list[str] = field(default_factory=list)


@dataclass
class LevelConfig:
    """One GAN of the stack: generator G_i, discriminator D_i, posterior Q_i."""

    z_dim: int = 50  # length of z_i
    noise: str = "uniform"  # what z_i is: uniform, on [0, 1), or normal
    noise_units: list[int] = field(default_factory=list)  # dense layers on z_i alone
    condition_units: list[int] = field(default_factory=list)  # dense layers on a vector condition
    g_units: list[int] = field(default_factory=lambda: [512, 512])  # when h_i is a vector
    # of the maps from the smallest up, when h_i is a map
    g_channels: list[int] = field(default_factory=lambda: [128, 128, 64, 64])
    # of maps: mirror (undoes E_i layer by layer), pyramid (doublings) or shapes (fits any stage)
    g_family: str = "mirror"
    g_kernel: int = 0  # of what undoes a pooling; 0: that of the convolutions beside it
    # units of the embedding of [h_{i+1}, z_i] that modulates G's normalisations; 0: learned scales
    g_modulation: int = 0
    condition_norm: bool = False  # batch normalisation of a vector condition, without scale
    # dense, strided (k x k, stride 2), allconv (the release's CIFAR-10) or halved (from half the
    # side down, 3 x 3 and 4 x 4 of stride 2 in turn)
    d_family: str = "dense"
    d_channels: list[int] = field(default_factory=list)  # of the convolutions
    d_kernel: int = 5  # of the strided convolutions
    d_units: list[int] = field(default_factory=list)  # dense layers (strided: after the maps)
    d_batch_norm: bool = False  # on every trunk layer but the first
    d_spectral: bool = False  # D_i's weights over their largest singular values; Q_i's stay
    # what D_i's features are projected on: labels, condition (h_{i+1}), both or none
    d_projection: list[str] = field(default_factory=list)
    # maps of the frozen E_i on which D_i has further heads, as pool1, pool2
    d_features: list[str] = field(default_factory=list)
    d_features_weight: float = 0.1  # of their mean logit
    d_dense_slope: float = 0.2  # of LeakyReLU after dense layers; 0 is ReLU
    q_activation: str = "linear"  # of Q_i's head: linear or sigmoid
    head_init: str = "normal"  # of both heads: normal (0.02) or glorot_uniform
    q_prior_init: bool = False  # Q_i's estimates start near z_i's mean, 0.5
    input_noise: float = 0.0  # sigma of the Gaussian noise on D_i's input
    hidden_noise: float = 0.0  # sigma before each further layer of a dense D_i
    dropout: float = 0.0  # in an allconv D_i
    joint_hidden_noise: float = 0.0  # hidden_noise in the joint stage
    joint_dropout: float = 0.0  # dropout in the joint stage
    adversarial: str = "binary"  # a name in losses.ADVERSARIAL
    regularizers: dict[str, float] = field(default_factory=dict)  # of D: names and weights
    regularize_every: int = 1  # D updates between two that are regularised, then so many times more
    augment: list[str] = field(default_factory=list)  # of what D sees: names
    cond_augment: list[str] = field(default_factory=list)  # of what E sees in L_cond: names
    # of L_cond below the top, and of L_ent: raw, or variance (over the variance of h and of z)
    loss_units: str = "raw"
    lambda_adv: float = 1.0  # weight of L_adv; a weight of 0 removes its term and the term's cost
    lambda_cond: float = 1.0  # weight of L_cond
    lambda_ent: float = 10.0  # weight of L_ent
    posterior_weight: float = 1.0  # of L_ent in D's and Q's objective, times lambda_ent
    lambda_label: float = 1.0  # weight of D's label loss (class_logits only)
    generator_steps: int = 1  # G updates for each D update
    adaptive_steps: bool = False  # 1 to 7 G updates instead, by D's loss
    epochs: int = 20  # alone; 0: this level is trained in the joint stage only
    learning_rate: float = 1e-4  # of both Adams
    decay_from: float = 1.0  # share of the steps after which it falls linearly to 0; 1: never
    beta_1: float = 0.5  # of both Adams
    # decay of the average of G's weights over its updates, which samples are drawn with; 0: none
    ema: float = 0.0


@dataclass
class JointConfig:
    """The joint stage: all levels end to end, from where the levels trained alone have come."""

    epochs: int = 5
    lower_weight: float = 0.01  # a generator adds this times the objective of the level below
    lambda_class: float = 0.0  # weight of L_class, on the class that all of E reads in the image
    generator_steps: int = 1
    adaptive_steps: bool = False
    adaptive_watch: str = "bottom"  # whose loss sets the steps: D_0's, or the least of all levels
    learning_rate: float = 1e-4
    decay_from: float = 1.0
    beta_1: float = 0.5


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
    labels: str = "given"
    seed: int = 0
    cuts: list[str] = field(default_factory=lambda: ["fc3"])  # of E, bottom up; none: one level
    batch_size: int = 100  # over all devices together
    precision: str = "float32"  # of convolutions and large matrices: float32 or bfloat16
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
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        try:
            tree = json.loads("\n".join(kept))
            if not isinstance(tree, dict):
                raise ConfigError("not a configuration: it holds no settings by their names")
            schema = tree.pop("schema", 1)
            if schema > SCHEMA:
                raise ConfigError(f"of a newer version (schema {schema}, here {SCHEMA})")
            for version in range(schema, SCHEMA):
                _MIGRATIONS[version](tree)
            config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), tree))
        except (OmegaConfBaseException, ValueError, TypeError, LookupError, AttributeError) as e:
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


def with_epochs(config: Config, epochs: dict[str, int]) -> Config:
    """Returns a copy of a configuration with other epochs of some stages, `{name: epochs}`."""
    changed = copy.deepcopy(config)
    for name, settings in changed.sections().items():
        settings.epochs = epochs.get(name, settings.epochs)
    return changed


def with_overrides(config: Config, overrides, epochs: int | None = None) -> Config:
    """Returns a configuration with some settings changed, and checks it.

    Args:
        config: A `Config`.
        overrides: Strings `"dotted.name=value"`, as `"levels.0.lambda_ent=0"`.
        epochs: Of every stage that has any.

    Raises:
        ConfigError: for anything that cannot be, naming it.
    """
    from omegaconf import OmegaConf

    tree = OmegaConf.structured(config)
    for stage in [tree.encoder, *tree.levels, tree.joint] if epochs is not None else []:
        stage.epochs = epochs if stage.epochs else 0
    for override in overrides:
        _apply(tree, override)
    config = OmegaConf.to_object(tree)
    validate(config)
    return config


def _apply(tree, override):
    """Applies one `name=value` to an OmegaConf tree, which checks the name and the type."""
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    name, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"`set`: '{override}' is not name=value")
    if name.split(".")[0] in _FLAGS:
        raise ConfigError(f"`set`: {name} has a flag of its own, `{name}`")
    if name.split(".")[0] == "classifier":
        raise ConfigError(f"`set`: {name} follows from `encoder`, `encoder_input` and `cuts`")
    try:
        before = OmegaConf.select(tree, name, throw_on_missing=True)
        parent = OmegaConf.select(tree, name.rpartition(".")[0]) if "." in name else None
        named = parent is not None and OmegaConf.get_type(parent) is dict  # takes any name
        # YAML reads 1e-4 as a string; typed nodes convert strings, so only lists need YAML.
        value = yaml.safe_load(text) if OmegaConf.is_list(before) else text
        wrong_list = OmegaConf.is_list(before) and not isinstance(value, list)
        if (before is None and not named) or OmegaConf.is_dict(before) or wrong_list:
            raise ConfigError(
                f"`set`: {name} is not a setting, or {text!r} is not a value for it; `dry_run` "
                "lists them"
            )
        OmegaConf.update(tree, name, value)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"`set`: {name}={text}: {first_line(error)}") from error


def _from_schema_1(tree):
    """Version 0.1.0: poolings had the encoder's kernel, the joint schedule watched all levels."""
    kernel, cuts = tree["encoder"]["kernel_size"], tree["cuts"]
    ends = [0, *(ENCODER_LAYERS.index(cut) + 1 for cut in cuts), len(ENCODER_LAYERS)]
    for level, start, end in zip(tree["levels"], ends, ends[1:]):
        kinds = {name[:4] for name in ENCODER_LAYERS[start:end]}
        if kinds == {"pool"} and kernel != 5:
            level["g_kernel"] = kernel
    if tree["joint"]["adaptive_steps"] and len(tree["levels"]) > 1:
        tree["joint"]["adaptive_watch"] = "least"


_MIGRATIONS = {1: _from_schema_1}


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
