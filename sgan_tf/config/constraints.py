"""Fields of settings with constraints: `positive(5)` defaults to 5 and must be above 0."""

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A condition that a value must satisfy.

    Attributes:
        need: String. The condition in words that complete "is not ...".
        allows: Function `value -> bool`. Whether the value satisfies the condition.
    """

    need: str
    allows: Callable


def constrained(default: Any, need: str, allows: Callable) -> Any:
    """Returns a dataclass field with a constraint.

    Args:
        default: Any value. The default, which is copied if it is a list or a dictionary.
        need: String. See `Constraint`.
        allows: Function `value -> bool`. See `Constraint`.
    """
    metadata = {"constraint": Constraint(need, allows)}
    if isinstance(default, (list, dict)):
        return dataclasses.field(
            default_factory=functools.partial(copy.copy, default), metadata=metadata
        )
    return dataclasses.field(default=default, metadata=metadata)


def constraint_of(field: dataclasses.Field) -> Constraint | None:
    """Returns the constraint of a dataclass field; None if any value of its type is allowed."""
    return field.metadata.get("constraint")


def positive(default: float) -> Any:
    return constrained(default, "above 0", lambda value: value > 0)


def at_least(least: float, default: float) -> Any:
    return constrained(default, f"at least {least}", lambda value: value >= least)


def fraction(default: float) -> Any:
    return constrained(default, "in [0, 1)", lambda value: 0 <= value < 1)


def choice(default: str, *others: str) -> Any:
    """Returns a field for one name from a closed list, whose first name is the default."""
    names = (default, *others)
    return constrained(default, f"one of {', '.join(names)}", lambda value: value in names)


def some_of(*names: str) -> Any:
    """Returns a field for a list of names from a closed list, empty by default."""
    return constrained([], f"of {', '.join(names)}", lambda value: set(value) <= set(names))


def sizes(default: list[int]) -> Any:
    """Returns a field for a list of layer widths, which may be empty."""
    return constrained(
        default, "a list of positive numbers", lambda value: all(size > 0 for size in value)
    )
