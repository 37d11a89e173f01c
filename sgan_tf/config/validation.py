"""Checks of configurations: the constraint of each setting, and settings that must agree."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from sgan_tf.config.constraints import constraint_of
from sgan_tf.errors import UserError

ENCODER_LAYERS = ("conv1", "pool1", "conv2", "pool2", "fc3")  # where E may be cut, bottom up
MAP_LAYERS = ENCODER_LAYERS[:4]
PRECISIONS = ("float32", "bfloat16")
INPUT_RANGES = ("0..1", "0..255", "-1..1", "imagenet", "caffe")  # of a given classifier's inputs
# Settings with their own flags; errors name the flags.
FLAGS = ("dataset", "preset", "cuts", "image_size", "labels", "seed", "precision", "input_range")


class ConfigError(UserError):
    """An error for an invalid setting; the message names it and says which values are valid."""


# Settings are `Any` to a type checker, as the schema imports this module.
def validate(config: Any) -> None:
    """Checks a configuration.

    Names in the models' registries are not looked up; see `sgan_tf.models.build.check_config`.

    Args:
        config: `Config`. The configuration.

    Raises:
        ConfigError: If a value is invalid; the message names the setting.
    """
    classifier = config.classifier
    if classifier is None:
        check_cuts(config.cuts)
    check_settings(config)
    fits = classifier is None or config.labels == "given"
    require(fits, "`labels`", config.labels, "given, as a given classifier has classes of its own")
    count = len(config.levels)
    require(count == len(config.cuts) + 1, "levels", count, "one more than the cuts")
    epochs = config.encoder.epochs
    if classifier is None:
        require(epochs, "encoder.epochs", epochs, "at least 1")
        check_image_size(config.encoder, config.image_size)
    else:
        need = "0, as a given classifier is trained already"
        require(not epochs, "encoder.epochs", epochs, need)
        for name in ("shapes", "activations"):
            value = getattr(classifier, name)
            require(len(value) == count, f"classifier.{name}", value, "one for each level")
    targets = ["image", *config.cuts]
    for i, (level, target, above) in enumerate(zip(config.levels, targets, [*targets[1:], "fc4"])):
        inside = _between(target, above) if classifier is None else ()
        need = f"of {', '.join(inside)}" if inside else "empty, as no map lies inside this level"
        require(set(level.features) <= set(inside), f"levels.{i}.features", level.features, need)
        steady = level.optimizer.decay_from == 1 or not level.optimizer.adaptive_steps
        need = "1, as adaptive_steps leaves the number of steps open"
        require(steady, f"levels.{i}.optimizer.decay_from", level.optimizer.decay_from, need)
        weights = level.loss.lambda_adv + level.loss.lambda_cond + level.loss.lambda_ent
        require(weights > 0, f"levels.{i}.loss", "all lambda 0", "an objective")
        trained = level.epochs or "joint" in config.stages()
        need = "at least 1: there is no joint stage that would train this level"
        require(trained, f"levels.{i}.epochs", level.epochs, need)


def _between(target, above):
    """Returns the map layers of E between a level's target and its condition."""
    start = 0 if target == "image" else ENCODER_LAYERS.index(target) + 1
    stop = ENCODER_LAYERS.index(above) if above in ENCODER_LAYERS else len(ENCODER_LAYERS)
    return MAP_LAYERS[start:stop]


def check_settings(settings: Any, prefix: str = "") -> None:
    """Checks the constraints of a dataclass's settings, and of the dataclasses inside it.

    Args:
        settings: Dataclass. Its fields may have constraints (`sgan_tf.config.constraints`).
        prefix: String. Prefix of the names in errors, such as "levels.0.". Defaults to "".

    Raises:
        ConfigError: If a value is invalid; the message names the setting.
    """
    for field in dataclasses.fields(settings):
        name, value = f"{prefix}{field.name}", getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            check_settings(value, f"{name}.")
        elif isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
            for i, item in enumerate(value):
                check_settings(item, f"{name}.{i}.")
        else:
            _check(f"`{field.name}`" if field.name in FLAGS else name, value, constraint_of(field))


def _check(name, value, constraint):
    numbers = value.values() if isinstance(value, dict) else [value]
    finite = all(math.isfinite(x) for x in numbers if isinstance(x, float))
    require(finite, name, value, "a finite number")
    if constraint is not None:
        require(constraint.allows(value), name, value, constraint.need)


def require(good: object, name: str, value: object, need: str) -> None:
    """Raises `ConfigError` with the message "name: value is not need" unless `good`."""
    if not good:
        raise ConfigError(f"{name}: {value} is not {need}")


def check_cuts(cuts: Sequence[str]) -> None:
    """Raises `ConfigError` if `cuts` are not names of the encoder's layers, bottom up."""
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


def check_image_size(encoder: Any, side: int) -> None:
    """Checks that the encoder's maps divide evenly, as generators that mirror them need.

    Args:
        encoder: `EncoderConfig`. The settings of the encoder.
        side: Integer. The side of the images, in pixels.

    Raises:
        ConfigError: If they do not; the message names image sizes that fit.
    """
    if map_sides(encoder, side) is None:
        possible = [s for s in range(1, 2 * side + 65) if map_sides(encoder, s)]
        nearest = sorted(sorted(possible, key=lambda s: abs(s - side))[:4])
        raise ConfigError(
            f"`image_size`: the networks cannot produce {side} x {side} pixels; sizes near it that "
            f"they can: {', '.join(map(str, nearest))}"
        )


def map_sides(encoder: Any, side: int) -> dict[str, int] | None:
    """Returns the sides of the image and of each map of E.

    Args:
        encoder: `EncoderConfig`. The settings of the encoder.
        side: Integer. The side of the images, in pixels.

    Returns:
        Dictionary `{name: side}`, or None if the maps do not divide evenly.
    """
    sides = {"image": side}
    for name in MAP_LAYERS:
        if name.startswith("pool"):
            if side % 2:
                return None
            side //= 2
        elif encoder.padding == "valid":
            side -= encoder.kernel_size - 1
        if side < 1:
            return None
        sides[name] = side
    return sides
