"""Fields of settings with the values that they may hold: `positive(5)` is 5 by default, above 0."""

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Constraint:
    """What a value must satisfy, in words that complete "is not ..." and as a function."""

    need: str
    allows: Callable


def constrained(default: Any, need: str, allows: Callable) -> Any:
    """Returns a dataclass field with a default (a list or dict is copied) and a constraint."""
    metadata = {"constraint": Constraint(need, allows)}
    if isinstance(default, (list, dict)):
        return dataclasses.field(
            default_factory=functools.partial(copy.copy, default), metadata=metadata
        )
    return dataclasses.field(default=default, metadata=metadata)


def constraint_of(field: dataclasses.Field) -> Constraint | None:
    """Returns the constraint of a dataclass field; None where it may hold any value of its type."""
    return field.metadata.get("constraint")


def positive(default: float) -> Any:
    return constrained(default, "above 0", lambda value: value > 0)


def at_least(least: float, default: float) -> Any:
    return constrained(default, f"at least {least}", lambda value: value >= least)


def fraction(default: float) -> Any:
    return constrained(default, "in [0, 1)", lambda value: 0 <= value < 1)


def choice(default: str, *others: str) -> Any:
    """A name out of a closed list, the default first."""
    names = (default, *others)
    return constrained(default, f"one of {', '.join(names)}", lambda value: value in names)


def some_of(*names: str) -> Any:
    """A list of names out of a closed list, empty by default."""
    return constrained([], f"of {', '.join(names)}", lambda value: set(value) <= set(names))


def sizes(default: list[int]) -> Any:
    """Widths of layers, empty ones allowed."""
    return constrained(
        default, "a list of positive numbers", lambda value: all(size > 0 for size in value)
    )
