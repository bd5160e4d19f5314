"""A property that is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  (it is written like `property`)
    """functools.cached_property without its lock, which costs more than most of what is computed here.

    Two threads may both compute a value, so it must not matter which of them is kept.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        """The value, which from now on is an attribute of the instance."""
        made = instance.__dict__[self._name] = self._compute(instance)
        return made
