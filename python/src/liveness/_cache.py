"""What predictors may share: results of pictures that were seen before, and threads."""

from __future__ import annotations

from dataclasses import dataclass

from liveness import _core


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache has done, and what is in it."""

    hits: int
    misses: int
    """Answers that were not there, or too old."""
    evictions: int
    """Results that made room for others, or were too old."""
    entries: int
    """Results that are there now."""
    bytes: int
    """What they take."""


class PredictionCache:
    """Keeps results: give it to predictors. Any number of them, and of threads, may use one at once.

    The key is a 128-bit hash of every pixel that anybody reads, of the box where it is given, of the models and of every
    option that changes a result. Errors are not kept.

    :param bytes: results are kept while they fit, the least recently used goes first
    :param time_to_live: seconds after which a result is not used any more; None: they do not age
    """

    def __init__(self, *, bytes: int = 16 << 20, time_to_live: float | None = None) -> None:
        # Rounded up: a time that was asked for is never taken for none.
        milliseconds = 0 if time_to_live is None else max(1, round(time_to_live * 1000)) if time_to_live >= 0 else -1
        self._core = _core.PredictionCache(bytes, milliseconds)

    def statistics(self) -> CacheStatistics:
        """Hits, misses, evictions, entries, bytes."""
        return CacheStatistics(*self._core.statistics())

    def shrink(self, bytes: int = 0) -> None:
        """Keeps no more than so many bytes of what is there now."""
        self._core.shrink(bytes)


class WorkerPool:
    """Threads that batches are worked on: give it to predictors. Any number of them may use one at once.

    :param threads: pictures at a time, 1 to 1024, the one on the calling thread included
    """

    def __init__(self, threads: int) -> None:
        self._core = _core.WorkerPool(threads)

    @property
    def threads(self) -> int:
        """Pictures at a time."""
        return self._core.threads()

    def cancel(self) -> None:
        """Ends the batches that run on it early: pictures that were not begun get a :class:`CancelledError`."""
        self._core.cancel()
