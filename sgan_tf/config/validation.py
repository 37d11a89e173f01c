"""What a configuration may hold: choices, ranges, and sizes that fit one another."""

import dataclasses
import math

from sgan_tf.data.datasets import LABELS, clusters
from sgan_tf.errors import UserError

ENCODER_LAYERS = ("conv1", "pool1", "conv2", "pool2", "fc3")  # where E may be cut, bottom up
MAP_LAYERS = ENCODER_LAYERS[:4]
PRECISIONS = ("float32", "bfloat16")
PROJECTIONS = ("labels", "condition")
OBJECTIVES = ("vicreg", "barlow_twins")  # of an encoder without labels
INPUT_RANGES = ("0..1", "0..255", "-1..1", "imagenet", "caffe")  # of a given classifier


class ConfigError(UserError):
    """A setting that cannot be; the message names it and says what would do."""


_CHOICES = {
    "padding": ("valid", "same"),
    "precision": PRECISIONS,
    "noise": ("uniform", "normal"),
    "g_family": ("mirror", "pyramid", "shapes"),
    "input_range": INPUT_RANGES,
    "objective": OBJECTIVES,
    "d_family": ("dense", "strided", "allconv", "halved"),
    "loss_units": ("raw", "variance"),
    "q_activation": ("linear", "sigmoid"),
    "head_init": ("normal", "glorot_uniform"),
    "adaptive_watch": ("bottom", "least"),
}
_FRACTIONS = ("dropout", "joint_dropout", "beta_1", "ema")
_POSITIVE = (
    *("z_dim", "d_kernel", "generator_steps", "units", "kernel_size", "learning_rate"),
    *("posterior_weight", "regularize_every"),
)


def validate(config):
    """Raises `ConfigError` for a value that cannot be, naming the setting."""
    given = config.classifier
    if given is None:
        check_cuts(config.cuts)
    _require(config.batch_size > 1, "batch_size", config.batch_size, "at least 2")
    _require(0 <= config.seed < 2**31, "`seed`", config.seed, "in [0, 2^31)")
    _check_value("`precision`", "precision", config.precision, 0)
    known = config.labels in LABELS or clusters(config.labels)
    _require(known, "`labels`", config.labels, "given, none or clusters:K, K at least 2")
    own = given is None or config.labels == "given"
    _require(own, "`labels`", config.labels, "given, as a given classifier has classes of its own")
    right = len(config.levels) == len(config.cuts) + 1
    _require(right, "levels", len(config.levels), "one more than the cuts")
    for stage, settings in config.sections().items():
        section = f"levels.{stage[5:]}" if stage.startswith("level") else stage
        for key, value in dataclasses.asdict(settings).items():
            least = int(stage == "encoder" and given is None)
            _check_value(f"{section}.{key}", key, value, least_epochs=least)
    channels = config.encoder.channels
    _require(len(channels) == 2, "encoder.channels", channels, "two numbers, for conv1 and conv2")
    for name in ("views", "expander"):
        value = getattr(config.encoder, name)
        _require(value, f"encoder.{name}", value, "at least one")
    if given is None:
        check_image_size(config.encoder, config.image_size)
    else:
        _check_classifier(config)
    targets = ["image", *config.cuts]
    for i, (level, target, above) in enumerate(zip(config.levels, targets, [*targets[1:], "fc4"])):
        vector = target == "fc3" if given is None else len(given.shapes[i]) == 1
        inside = _between(target, above) if given is None else ()
        _check_level(f"levels.{i}", level, target, vector, inside)
        trained = level.epochs or "joint" in config.stages()
        need = "at least 1: there is no joint stage that would train this level"
        _require(trained, f"levels.{i}.epochs", level.epochs, need)


def _check_value(name, key, value, least_epochs):
    allowed = _CHOICES.get(key)
    if isinstance(value, float):
        _require(math.isfinite(value), name, value, "a finite number")
    if allowed:
        _require(value in allowed, name, value, f"one of {', '.join(allowed)}")
    elif key == "epochs":
        _require(value >= least_epochs, name, value, f"at least {least_epochs}")
    elif key == "regularizers":
        good = all(0 < weight < math.inf for weight in value.values())
        _require(good, name, value, "names with weights above 0 that are finite")
    elif isinstance(value, list):
        numbers = [v for v in value if not isinstance(v, str)]
        _require(all(v > 0 for v in numbers), name, value, "a list of positive numbers")
    elif key == "decay_from":
        _require(0 <= value <= 1, name, value, "in [0, 1]")
    elif key in _FRACTIONS:
        _require(0 <= value < 1, name, value, "in [0, 1)")
    elif key in _POSITIVE:
        _require(value > 0, name, value, "above 0")
    elif isinstance(value, float) or key in ("shift", "g_kernel"):
        _require(value >= 0, name, value, "at least 0")


def _between(target, above):
    """The map layers of E that lie between a level's target and its condition."""
    start = 0 if target == "image" else ENCODER_LAYERS.index(target) + 1
    stop = ENCODER_LAYERS.index(above) if above in ENCODER_LAYERS else len(ENCODER_LAYERS)
    return MAP_LAYERS[start:stop]


def _check_classifier(config):
    """Checks what a given classifier's shapes ask of the levels."""
    given, count = config.classifier, len(config.levels)
    _check_value("`input_range`", "input_range", given.input_range, 0)
    epochs = config.encoder.epochs
    _require(not epochs, "encoder.epochs", epochs, "0, as a given classifier is trained already")
    _require(len(given.shapes) == count, "classifier.shapes", given.shapes, "one for each level")
    right = len(given.activations) == count
    _require(right, "classifier.activations", given.activations, "one for each level")
    for i, (level, shape) in enumerate(zip(config.levels, given.shapes)):
        if len(shape) > 1:
            name, family = f"levels.{i}.g_family", level.g_family
            even = shape[0] == shape[1] and shape[0] % 2 == 0 and shape[0] >= 6
            families = ("shapes", "pyramid") if even else ("shapes",)
            _require(family in families, name, family, f"one of {', '.join(families)}, for {shape}")
            name, family = f"levels.{i}.d_family", level.d_family
            need = f"strided, as maps of {shape[0]} x {shape[1]} need"
            _require(family in map_discriminators(shape), name, family, need)


def map_discriminators(shape) -> tuple[str, ...]:
    """Returns the values of `d_family` that work on maps of any shape `(H, W, C)`."""
    least, even = min(shape[:2]), all(side % 2 == 0 for side in shape[:2])
    return ("strided", *(["halved"] if even else []), *(["allconv"] if least > 8 else []))


def _check_level(name, level, target, vector, inside):
    families = ("dense",) if vector else ("strided", "allconv", "halved")
    need = f"one of {', '.join(families)}, for {target}"
    _require(level.d_family in families, f"{name}.d_family", level.d_family, need)
    six = level.d_family == "allconv"
    enough = len(level.d_channels) == 6 if six else level.d_channels or level.d_family == "dense"
    need = f"{'six numbers' if six else 'at least one number'}, as {level.d_family} takes"
    _require(enough, f"{name}.d_channels", level.d_channels, need)
    enough = level.d_family != "dense" or level.d_units
    _require(enough, f"{name}.d_units", level.d_units, "at least one number, as dense takes")
    enough = level.g_channels or vector
    _require(enough, f"{name}.g_channels", level.g_channels, "at least one number")
    steady = level.decay_from == 1 or not level.adaptive_steps
    need = "1, as adaptive_steps leaves the number of steps open"
    _require(steady, f"{name}.decay_from", level.decay_from, need)
    reached = level.noise == "uniform" or level.q_activation == "linear"
    _require(reached, f"{name}.q_activation", level.q_activation, "linear, as normal noise needs")
    need = f"of {', '.join(inside)}" if inside else "empty, as no map lies inside this level"
    _require(set(level.d_features) <= set(inside), f"{name}.d_features", level.d_features, need)
    known = set(level.d_projection) <= set(PROJECTIONS)
    need = f"of {', '.join(PROJECTIONS)}"
    _require(known, f"{name}.d_projection", level.d_projection, need)
    weights = level.lambda_adv + level.lambda_cond + level.lambda_ent
    _require(weights > 0, name, "all lambda 0", "an objective")


def _require(good, name, value, need):
    if not good:
        raise ConfigError(f"{name}: {value} is not {need}")


def check_cuts(cuts):
    """Raises `ConfigError` when `cuts` are not names of the encoder's layers, bottom up."""
    for cut in cuts:
        if cut not in ENCODER_LAYERS:
            raise ConfigError(
                f"`cuts`: unknown layer '{cut}'; choose from {', '.join(ENCODER_LAYERS)}, or none"
            )
    if list(cuts) != sorted(set(cuts), key=ENCODER_LAYERS.index):
        raise ConfigError(
            f"`cuts`: {','.join(cuts)} is not in bottom-up order without repeats; the order is "
            f"{', '.join(ENCODER_LAYERS)}"
        )


def check_image_size(encoder, side: int):
    """Raises `ConfigError` when the encoder's maps do not divide evenly: none could mirror them.

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
        possible = [s for s in range(1, 2 * side + 65) if fits(s)]
        nearest = sorted(sorted(possible, key=lambda s: abs(s - side))[:4])
        raise ConfigError(
            f"`image_size`: the networks cannot produce {side} x {side} pixels; sizes near it that "
            f"they can: {', '.join(map(str, nearest))}"
        )
