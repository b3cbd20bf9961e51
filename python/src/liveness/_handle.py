"""What the classes with something compiled behind them share: closing."""

from __future__ import annotations

from typing import Generic, TypeVar

from liveness._errors import InvalidStateError

Core = TypeVar("Core")
Self = TypeVar("Self", bound="Handle")  # type: ignore[type-arg]


class Handle(Generic[Core]):
    """Frees its memory when closed, at the end of a ``with`` block, or when nothing refers to it any more.

    Objects made from it go on working: they share what they need.
    """

    def __init__(self, core: Core) -> None:
        self._core_or_none: Core | None = core

    @property
    def _core(self) -> Core:
        core = self._core_or_none
        if core is None:
            raise InvalidStateError(f"this {type(self).__name__} is closed")
        return core

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        return self._core_or_none is None

    def close(self) -> None:
        """Gives the memory back; every other use raises :class:`InvalidStateError` afterwards. May be called twice."""
        self._core_or_none = None

    def __enter__(self: Self) -> Self:
        self._core  # noqa: B018 - raises where it is closed
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
