"""Scores and thresholds fitted to one's own camera."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from liveness import _core
from liveness._errors import InvalidArgumentError
from liveness._model import Model
from liveness._types import Fusion


class CalibrationMethod(IntEnum):
    """How log-odds become calibrated ones."""

    NONE = 0
    TEMPERATURE = 1
    PLATT = 2
    BETA = 3


@dataclass(frozen=True, slots=True)
class ErrorTarget:
    """Which error a threshold profile is to hold: "equal" (APCER = BPCER), or "apcer" or "bpcer" at most `rate`."""

    kind: Literal["equal", "apcer", "bpcer"] = "equal"
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ThresholdProfile:
    """LIVE at or above `live`, SPOOF below `spoof`, on the calibrated P(live)."""

    live: float
    spoof: float
    target: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Errors of a profile on presentations that neither parameters nor threshold had seen."""

    species: str
    """With the highest APCER."""
    apcer_errors: int
    apcer_total: int
    bpcer_errors: int
    bpcer_total: int


class Calibration:
    """Made by ``liveness calibrate`` or :meth:`fit` for certain models; give it to a predictor with exactly those."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads a file, YAML or JSON."""
        self._core = _core.Calibration.load(os.fsencode(path))

    @classmethod
    def _of(cls, core: _core.Calibration) -> Calibration:
        made = cls.__new__(cls)
        made._core = core
        return made

    @classmethod
    def parse(cls, text: str) -> Calibration:
        """The same from a file's text."""
        return cls._of(_core.Calibration.parse(text, "text"))

    @classmethod
    def fit(
        cls,
        scores: Sequence[float],
        species: Sequence[str],
        models: Sequence[Model],
        *,
        subjects: Sequence[str] = (),
        clips: Sequence[str] = (),
        fusion: Fusion = Fusion.MEAN,
        weights: Sequence[float] = (),
        method: CalibrationMethod | None = None,
        targets: Mapping[str, ErrorTarget] | None = None,
        folds: int = 5,
        seed: int = 1,
        confidence: float = 0.95,
    ) -> Calibration:
        """Fits parameters and thresholds, cross-validated by subject, or by clip where subjects have no name.

        :param scores: uncalibrated log-odds (``result.logit``) of a predictor with these models; NaN: none
        :param species: one a score; "" for bona fide presentations
        :param method: None: the one with the smallest held-out loss
        :param targets: by profile, "balanced" among them; None: strict (APCER 1 %), balanced, lenient (BPCER 1 %)
        """
        kinds = ("equal", "apcer", "bpcer")
        wanted: dict[str, tuple[int, float]] | None = None
        if targets is not None:
            wanted = {}
            for name, target in targets.items():
                if target.kind not in kinds:
                    raise InvalidArgumentError(f'targets["{name}"].kind is "{target.kind}", expected {", ".join(kinds)}')
                wanted[name] = (kinds.index(target.kind), target.rate)
        core = _core.Calibration.fit(
            (scores, species, subjects, clips),
            [m._core for m in models],
            int(fusion),
            weights,
            None if method is None else int(method),
            wanted,
            folds,
            seed,
            confidence,
        )
        return cls._of(core)

    def apply(self, logit: float) -> float:
        """Calibrated log-odds, within +-30."""
        return self._core.apply(logit)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a file, YAML or (by its name) JSON; it appears whole or not at all."""
        self._core.save(os.fsencode(path))

    def to_yaml(self) -> str:
        """The file's text."""
        return self._core.to_yaml()

    def _field(self, name: str) -> Any:
        return self._core.fields()[name]

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Name and identity of the models that it was made for."""
        return tuple(self._field("models"))

    @property
    def method(self) -> CalibrationMethod:
        """How it changes log-odds."""
        return CalibrationMethod(self._field("method"))

    @property
    def parameters(self) -> tuple[float, ...]:
        """Of the method: nothing, (T), (a, b) or (a, b, c)."""
        return tuple(self._field("parameters"))

    @property
    def profiles(self) -> dict[str, ThresholdProfile]:
        """Thresholds by name."""
        return {name: ThresholdProfile(*p) for name, p in self._field("profiles").items()}

    @property
    def held_out(self) -> dict[str, HeldOut]:
        """Held-out errors by profile; empty where nothing could be held out."""
        return {name: HeldOut(*h) for name, h in self._field("held_out").items()}

    @property
    def losses(self) -> dict[str, float]:
        """Mean held-out loss by method."""
        return dict(self._field("losses"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What it cannot promise, in sentences."""
        return tuple(self._field("notes"))
