"""`Family`: a way to build a network from its settings, and the h_i that it fits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sgan_tf.config.schema import DiscriminatorConfig, GeneratorConfig


class Target(NamedTuple):
    """The properties of h_i that are known before any network is built."""

    name: str  # as used in errors
    sides: tuple[int, ...]  # height and width of a map; empty for a vector
    sequential: bool  # whether its stage E_i is a chain of layers


def is_vector(target: Target) -> bool:
    return not target.sides


def is_map(target: Target) -> bool:
    return bool(target.sides)


def is_even_map(target: Target) -> bool:
    return is_map(target) and all(side % 2 == 0 for side in target.sides)


@dataclass(frozen=True)
class Family:
    """An entry of `GENERATORS` or `DISCRIMINATORS`.

    Attributes:
        make: Function. It makes the layers; a comment at each table describes its arguments.
        fits: Function `Target -> bool`. Whether the family can build a network for h_i.
        widths: String. The setting that holds its widths, `units` or `channels`. Defaults to
            `channels`.
        least: Integer. The smallest number of widths that it takes. Defaults to 1.
        most: Integer. The largest number of widths that it takes. Defaults to None: no limit.
    """

    make: Callable
    fits: Callable[[Target], bool]
    widths: str = "channels"
    least: int = 1
    most: int | None = None

    def allows_widths(self, config: GeneratorConfig | DiscriminatorConfig) -> bool:
        """Returns whether a network's settings have a number of widths that the family takes."""
        count = len(getattr(config, self.widths))
        return self.least <= count and (self.most is None or count <= self.most)

    @property
    def width_need(self) -> str:
        return f"{self.least} numbers" if self.most == self.least else "at least one number"
