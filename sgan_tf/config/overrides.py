"""Changes of settings in configurations, by `name=value` or by epochs."""

import copy
from collections.abc import Iterable
from typing import cast

from sgan_tf.config.migrations import SCHEMA, renamed
from sgan_tf.config.schema import Config
from sgan_tf.config.validation import FLAGS, ConfigError, validate
from sgan_tf.errors import first_line


def with_epochs(config: Config, epochs: dict[str, int]) -> Config:
    """Returns a copy of a configuration with other epochs for some stages.

    Args:
        config: `Config`. The configuration.
        epochs: Dictionary `{stage name: epochs}`. The new epochs; other stages are unchanged.
    """
    changed = copy.deepcopy(config)
    for name, settings in changed.sections().items():
        settings.epochs = epochs.get(name, settings.epochs)
    return changed


def with_overrides(config: Config, overrides: Iterable[str], epochs: int | None = None) -> Config:
    """Returns a configuration with some settings changed, and checks it.

    Args:
        config: `Config`. The configuration, which is not modified.
        overrides: List of strings `"dotted.name=value"`, such as `"levels.0.loss.lambda_ent=0"`.
        epochs: Integer. Epochs of every stage that has any. Defaults to None: no change.

    Returns:
        `Config`.

    Raises:
        ConfigError: If a setting or a value is invalid; the message names it.
    """
    from omegaconf import OmegaConf

    tree = OmegaConf.structured(config)
    for stage in [tree.encoder, *tree.levels, tree.joint] if epochs is not None else []:
        stage.epochs = epochs if stage.epochs else 0
    for override in overrides:
        _apply(tree, override)
    config = cast(Config, OmegaConf.to_object(tree))
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
    if name.split(".")[0] in FLAGS:
        raise ConfigError(f"`set`: {name} has a flag of its own, `{name}`")
    if name.split(".")[0] == "classifier":
        raise ConfigError(f"`set`: {name} follows from `encoder`, `encoder_input` and `cuts`")
    if renamed(name):
        raise ConfigError(f"`set`: {name} is {renamed(name)} since schema {SCHEMA}")
    try:
        before = OmegaConf.select(tree, name, throw_on_missing=True)
        parent = OmegaConf.select(tree, name.rpartition(".")[0]) if "." in name else None
        named = parent is not None and OmegaConf.get_type(parent) is dict  # allows any name
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
