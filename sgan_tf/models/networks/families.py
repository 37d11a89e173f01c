"""`Family`: a way to build a network from its settings, and which h_i it serves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sgan_tf.config.schema import DiscriminatorConfig, GeneratorConfig


class Target(NamedTuple):
    """What is known of h_i before any network is built."""

    name: str  # as errors say it
    sides: tuple[int, ...]  # height and width of a map, none of a vector
    sequential: bool  # its stage E_i is a chain of layers


def is_vector(target: Target) -> bool:
    return not target.sides


def is_map(target: Target) -> bool:
    return bool(target.sides)


def is_even_map(target: Target) -> bool:
    return is_map(target) and all(side % 2 == 0 for side in target.sides)


@dataclass(frozen=True)
class Family:
    """An entry of `GENERATORS` or `DISCRIMINATORS`; the tables say what `make` takes and returns.

    Attributes:
        make: Function that makes the layers.
        fits: Function `Target -> bool`: whether h_i can be of this family.
        widths: The setting that holds its widths, `units` or `channels`.
        least, most: How many widths it takes.
    """

    make: Callable
    fits: Callable[[Target], bool]
    widths: str = "channels"
    least: int = 1
    most: int | None = None

    def allows_widths(self, config: GeneratorConfig | DiscriminatorConfig) -> bool:
        """Whether a network's settings have as many widths as the family takes."""
        count = len(getattr(config, self.widths))
        return self.least <= count and (self.most is None or count <= self.most)

    @property
    def width_need(self) -> str:
        return f"{self.least} numbers" if self.most == self.least else "at least one number"
