"""How good a detector is: the figures of ISO/IEC 30107-3 from lists of scores, of this library or any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from liveness import _core

Unit: TypeAlias = Literal["picture", "clip", "subject"]
_UNITS: tuple[Unit, ...] = ("picture", "clip", "subject")
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many errors among so many, with the exact two-sided interval."""

    errors: int
    total: int
    rate: float
    """NaN where total is 0."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EqualError:
    """Where as large a share of the attacks is accepted as of the bona fide presentations is rejected."""

    rate: float
    threshold: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The lowest threshold that keeps the worst species' APCER at a target, and what it costs."""

    target: float
    threshold: float
    apcer: Rate
    bpcer: Rate
    shown: bool
    """Whether there are enough samples: the upper end of every species' interval is at most the target."""


@dataclass(frozen=True, slots=True)
class SpeciesFigures:
    """One attack species against all bona fide presentations."""

    species: str
    apcer: Rate
    apnrr: Rate
    auc: float
    eer: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """APCER and BPCER count presentations with a response, the non-response rates all. What is not known is NaN."""

    bona_fide: int
    attacks: int
    confidence: float
    auc: float
    eer: EqualError
    at_apcer: tuple[OperatingPoint, ...]
    live: float
    spoof: float
    threshold_from_eer: bool
    species: tuple[SpeciesFigures, ...]
    worst_species: str
    apcer: Rate
    """Of the worst species."""
    far: Rate
    """Of all attacks pooled."""
    bpcer: Rate
    apnrr: Rate
    bpnrr: Rate
    acer: float
    hter: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same presentations."""

    presentations: int
    only_a_right: int
    only_b_right: int
    mcnemar: float
    """Two-sided p-value of the exact McNemar test."""
    paired: int
    clusters: int
    auc_a: float
    auc_b: float
    difference: float
    """B's AUC minus A's; `low` and `high` are its bootstrap interval."""
    low: float
    high: float


def clopper_pearson(errors: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share. 0 of 20 gives (0, 0.168)."""
    return _core.clopper_pearson(errors, count, confidence)


def evaluate(
    scores: Sequence[float],
    species: Sequence[str],
    *,
    subjects: Sequence[str] = (),
    clips: Sequence[str] = (),
    unit: Unit = "picture",
    live: float | None = None,
    spoof: float | None = None,
    confidence: float = 0.95,
    apcer_targets: Sequence[float] = (0.01, 0.05, 0.07, 0.10),
) -> EvaluationReport:
    """The error rates of a list of scores.

    :param scores: on any scale, larger: more likely bona fide; NaN: the system gave no response
    :param species: one a score; "" for bona fide presentations
    :param unit: count every score, or the mean of the scores of a clip or subject
    :param live: bona fide at or above it; None: the threshold of equal error
    :param spoof: attack below it, no response between; None: the same as `live`
    """
    if unit not in _UNITS:
        raise ValueError(f'unit is "{unit}", expected one of {", ".join(_UNITS)}')
    list_ = (scores, species, subjects, clips)
    j = json.loads(_core.evaluate(list_, _UNITS.index(unit), live, spoof, confidence, apcer_targets))
    return EvaluationReport(
        bona_fide=j["bona_fide"],
        attacks=j["attacks"],
        confidence=j["confidence"],
        auc=_number(j["auc"]),
        eer=EqualError(_number(j["eer"]), _number(j["eer_threshold"])),
        at_apcer=tuple(
            OperatingPoint(p["target"], p["threshold"], _rate(p["apcer"]), _rate(p["bpcer"]), p["shown"])
            for p in j["at_apcer"]
        ),
        live=_number(j["live"]),
        spoof=_number(j["spoof"]),
        threshold_from_eer=j["threshold_from_eer"],
        species=tuple(
            SpeciesFigures(s["species"], _rate(s["apcer"]), _rate(s["apnrr"]), _number(s["auc"]), _number(s["eer"]))
            for s in j["species"]
        ),
        worst_species=j["worst_species"],
        apcer=_rate(j["apcer"]),
        far=_rate(j["far"]),
        bpcer=_rate(j["bpcer"]),
        apnrr=_rate(j["apnrr"]),
        bpnrr=_rate(j["bpnrr"]),
        acer=_number(j["acer"]),
        hter=_number(j["hter"]),
    )


def compare(
    a: Sequence[float],
    b: Sequence[float],
    species: Sequence[str],
    *,
    subjects: Sequence[str] = (),
    clips: Sequence[str] = (),
    threshold_a: float = 0,
    threshold_b: float = 0,
    rounds: int = 2000,
    seed: int = 1,
    confidence: float = 0.95,
) -> Comparison:
    """The exact McNemar test and a paired bootstrap of the AUC's difference, which draws whole clips.

    :param a: scores of one system, `b`: of another, on the same presentations in the same order
    """
    j = json.loads(
        _core.compare(
            (a, species, subjects, clips),
            (b, species, subjects, clips),
            threshold_a,
            threshold_b,
            rounds,
            seed,
            confidence,
        )
    )
    return Comparison(**{key: _number(value) for key, value in j.items()})


def _number(value: Any) -> Any:
    return _NAN if value is None else value


def _rate(j: dict[str, Any]) -> Rate:
    return Rate(j["errors"], j["total"], _number(j["rate"]), j["low"], j["high"])
