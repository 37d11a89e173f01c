"""Migration of configurations from earlier versions: schema steps and renamed settings.

All functions work on trees of plain values, as in JSON.
"""

import re
from typing import Any

from sgan_tf.config.validation import ENCODER_LAYERS, MAP_LAYERS, ConfigError

SCHEMA = 3  # version of config.json
# The old names of a level's settings, and their places since schema 3.
LEVEL_SETTINGS = {
    **{name: f"generator.{name}" for name in ("noise_units", "condition_units", "condition_norm")},
    "g_family": "generator.family",
    "g_units": "generator.units",
    "g_channels": "generator.channels",
    "g_kernel": "generator.kernel_size",
    "g_modulation": "generator.modulation",
    "d_family": "discriminator.family",
    "d_channels": "discriminator.channels",
    "d_kernel": "discriminator.kernel_size",
    "d_units": "discriminator.units",
    "d_batch_norm": "discriminator.batch_norm",
    "d_spectral": "discriminator.spectral_norm",
    "d_projection": "discriminator.projection",
    "d_features": "features",
    "d_features_weight": "discriminator.features_weight",
    "d_dense_slope": "discriminator.dense_slope",
    "q_activation": "discriminator.posterior_activation",
    "q_prior_init": "discriminator.posterior_prior_init",
    **{
        name: f"discriminator.{name}"
        for name in (
            *("head_init", "input_noise", "hidden_noise", "dropout"),
            *("joint_hidden_noise", "joint_dropout"),
        )
    },
    "loss_units": "loss.units",
    **{
        name: f"loss.{name}"
        for name in (
            *("adversarial", "regularizers", "regularize_every", "augment", "cond_augment"),
            *("lambda_adv", "lambda_cond", "lambda_ent", "lambda_label", "posterior_weight"),
        )
    },
}
# The same for settings of both the levels and the joint stage.
OPTIMIZER_SETTINGS = {
    name: f"optimizer.{name}"
    for name in ("learning_rate", "decay_from", "beta_1", "generator_steps", "adaptive_steps")
}


def migrated(tree: dict) -> dict:
    """Converts a whole configuration of any earlier version to this version.

    Args:
        tree: Dictionary. The configuration, with its `schema` (1 if missing).

    Returns:
        Dictionary. The configuration of this version, without `schema`.

    Raises:
        ConfigError: If the configuration is of a later version.
    """
    schema = tree.get("schema", 1)
    if schema > SCHEMA:
        raise ConfigError(f"of a newer version (schema {schema}, here {SCHEMA})")
    tree = {name: value for name, value in tree.items() if name != "schema"}
    for version in range(schema, SCHEMA):
        tree = _STEPS[version](tree)
    return tree


def migrated_level(tree: dict) -> dict:
    """Converts a level's settings, of any schema, to those of schema 3."""
    return _moved(tree, {**LEVEL_SETTINGS, **OPTIMIZER_SETTINGS})


def migrated_joint(tree: dict) -> dict:
    """Converts the joint stage's settings, of any schema, to those of schema 3."""
    return _moved(tree, OPTIMIZER_SETTINGS)


def renamed(name: str) -> str | None:
    """Returns the new name of a setting that was renamed in schema 3; None for any other name.

    Args:
        name: String. The old dotted name.

    Example:

    >>> renamed("levels.0.d_channels")
    'levels.0.discriminator.channels'
    """
    match = re.fullmatch(r"(levels\.\d+\.|joint\.)(\w+)(\..+)?", name)
    if not match:
        return None
    section, setting, rest = match.groups()
    known = OPTIMIZER_SETTINGS if section == "joint." else {**LEVEL_SETTINGS, **OPTIMIZER_SETTINGS}
    return f"{section}{known[setting]}{rest or ''}" if setting in known else None


def _from_schema_1(tree):
    """Converts version 0.1.0: poolings had E's kernel, the joint schedule watched all levels."""
    kernel, cuts = tree["encoder"]["kernel_size"], tree["cuts"]
    ends = [0, *(ENCODER_LAYERS.index(cut) + 1 for cut in cuts), len(ENCODER_LAYERS)]
    levels = [dict(level) for level in tree["levels"]]
    for level, start, end in zip(levels, ends, ends[1:]):
        kinds = {name[:4] for name in ENCODER_LAYERS[start:end]}
        if kinds == {"pool"} and kernel != 5:
            level["g_kernel"] = kernel
    joint = dict(tree["joint"])
    if joint["adaptive_steps"] and len(levels) > 1:
        joint["adaptive_watch"] = "least"
    return {**tree, "levels": levels, "joint": joint}


def _from_schema_2(tree):
    """Converts schema 2, where a level's settings were flat and vector generators had no family."""
    levels = [migrated_level(level) for level in tree.get("levels", [])]
    shapes = (tree.get("classifier") or {}).get("shapes")
    targets = ["image", *tree.get("cuts", ["fc3"])]
    for i, level in enumerate(levels):
        of_maps = targets[i] in ("image", *MAP_LAYERS) if shapes is None else len(shapes[i]) == 3
        generator = level.setdefault("generator", {})
        generator["family"] = generator.get("family", "mirror") if of_maps else "dense"
        level.setdefault("discriminator", {})
    return {**tree, "levels": levels, "joint": migrated_joint(tree.get("joint", {}))}


_STEPS = {1: _from_schema_1, 2: _from_schema_2}


def _moved(tree, places):
    """Returns a tree with some of its settings moved into sections."""
    moved: dict[str, Any] = {}
    for name, value in tree.items():
        section, _, key = places.get(name, name).rpartition(".")
        if section:
            moved.setdefault(section, {})[key] = value
        else:
            moved[key] = value
    return moved
