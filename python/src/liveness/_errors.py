"""Errors: one class a status, under :class:`LivenessError`."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The library's status codes. 1-99: the call; 100-199: the environment; 200-254: at run time; 255: a defect."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_STATE = 2
    UNSUPPORTED = 3
    BUFFER_TOO_SMALL = 4
    ABI_MISMATCH = 5
    OUT_OF_MEMORY = 100
    IO = 101
    NOT_FOUND = 102
    MODEL_INVALID = 103
    CONFIG_INVALID = 104
    DEVICE_UNAVAILABLE = 105
    CANCELLED = 200
    INTERNAL = 255


class LivenessError(Exception):
    """Base of all errors of this library. The message names the thing at fault and what was found."""

    status: Status = Status.INTERNAL


class InvalidArgumentError(LivenessError, ValueError):
    """An argument is out of range, not a number, or does not fit: the message names it."""

    status = Status.INVALID_ARGUMENT


class InvalidStateError(LivenessError, RuntimeError):
    """The object cannot do this now: it is closed, or it has no detector and was given no face."""

    status = Status.INVALID_STATE


class UnsupportedError(LivenessError):
    """Well-formed, but this library or this machine cannot do it."""

    status = Status.UNSUPPORTED


class OutOfMemoryError(LivenessError, MemoryError):
    """Memory has run out."""

    status = Status.OUT_OF_MEMORY


class FileError(LivenessError, OSError):
    """A file could not be read or written."""

    status = Status.IO


class NotFoundError(LivenessError, FileNotFoundError):
    """A file does not exist."""

    status = Status.NOT_FOUND


class ModelInvalidError(LivenessError):
    """A model file is damaged or does not check out: the message names field, node or tensor."""

    status = Status.MODEL_INVALID


class ConfigInvalidError(LivenessError):
    """A contract or configuration is wrong: the message names file and line."""

    status = Status.CONFIG_INVALID


class DeviceUnavailableError(LivenessError):
    """A device that was asked for is not there."""

    status = Status.DEVICE_UNAVAILABLE


class CancelledError(LivenessError):
    """The work was stopped from outside."""

    status = Status.CANCELLED


class InternalError(LivenessError):
    """A defect of the library: please report it."""

    status = Status.INTERNAL


_CLASSES: dict[int, type[LivenessError]] = {
    cls.status: cls
    for cls in (
        InvalidArgumentError,
        InvalidStateError,
        UnsupportedError,
        OutOfMemoryError,
        FileError,
        NotFoundError,
        ModelInvalidError,
        ConfigInvalidError,
        DeviceUnavailableError,
        CancelledError,
    )
}


def error_of(status: int, message: str) -> LivenessError:
    """The error with this status; the compiled module makes its errors with it."""
    return _CLASSES.get(status, InternalError)(message)
