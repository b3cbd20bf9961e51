"""Error rates and calibration."""

import math
from collections.abc import Callable
from pathlib import Path

import liveness
import numpy as np
import pytest
from conftest import CELL, scene

Loader = Callable[[str], liveness.Model]


def camera(n: int = 60) -> tuple[np.ndarray, list[str], list[str]]:
    """Log-odds that are too sure and moved: bona fide and prints of ten people."""
    rng = np.random.default_rng(2)
    species = ["" if i % 2 == 0 else "print" for i in range(n)]
    truth = np.array([1.0 if s == "" else -1.0 for s in species])
    return 3 * 2 * (truth + rng.normal(0, 1, n)) + 4, species, [f"person{i // 2 % 10}" for i in range(n)]


def test_intervals() -> None:
    low, high = liveness.clopper_pearson(0, 20)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))
    with pytest.raises(liveness.InvalidArgumentError, match="3 of 2"):
        liveness.clopper_pearson(3, 2)


def test_report_is_what_numpy_counts() -> None:
    scores, species, subjects = camera(200)
    live = np.array([s == "" for s in species])
    r = liveness.evaluate(scores, species, live=2.0)
    assert (r.bona_fide, r.attacks) == (100, 100)
    assert r.bpcer.rate == np.mean(scores[live] < 2)
    assert r.apcer.rate == np.mean(scores[~live] >= 2)
    assert r.acer == pytest.approx((r.apcer.rate + r.bpcer.rate) / 2)
    pairs = scores[live][:, None] - scores[~live][None, :]
    assert r.auc == pytest.approx(np.mean(pairs > 0) + np.mean(pairs == 0) / 2)
    assert [p.target for p in r.at_apcer] == [0.01, 0.05, 0.07, 0.10]
    assert not r.threshold_from_eer
    assert r.species[0].species == r.worst_species == "print"
    by_subject = liveness.evaluate(scores, species, subjects=subjects, unit="subject")
    assert by_subject.bona_fide == 10
    assert by_subject.threshold_from_eer


def test_what_is_not_known_is_nan() -> None:
    r = liveness.evaluate([1.0, math.nan], ["", ""])
    assert math.isnan(r.auc)
    assert math.isnan(r.apcer.rate)
    assert r.at_apcer == ()
    with pytest.raises(ValueError, match="species: 1 for 2"):
        liveness.evaluate([1, 2], [""])
    with pytest.raises(ValueError, match="unit"):
        liveness.evaluate([1], [""], unit="face")  # type: ignore[arg-type]
    with pytest.raises(liveness.InvalidArgumentError, match="infinite"):
        liveness.evaluate([math.inf], [""])


def test_comparison() -> None:
    scores, species, subjects = camera()
    better = [9.0 if s == "" else -9.0 for s in species]
    c = liveness.compare(scores, better, species, subjects=subjects, rounds=200)
    assert c.auc_b == 1
    assert c.difference == pytest.approx(1 - c.auc_a)
    assert c.low <= c.difference <= c.high
    assert c.only_a_right == 0
    assert c == liveness.compare(scores, better, species, subjects=subjects, rounds=200)


def test_calibration_fits_survives_a_file_and_moves_scores(tiny: Loader, tmp_path: Path) -> None:
    scores, species, subjects = camera()
    pad = tiny("pad")
    made = liveness.Calibration.fit(scores, species, [pad], subjects=subjects, method=liveness.CalibrationMethod.PLATT)
    assert made.method is liveness.CalibrationMethod.PLATT
    a, b = made.parameters
    assert 0.1 < a < 0.7
    assert made.apply(2) == pytest.approx(2 * a + b, rel=1e-5)
    assert set(made.profiles) == {"strict", "balanced", "lenient"}
    assert set(made.losses) == {"none", "temperature", "platt", "beta"}
    assert made.held_out["balanced"].bpcer_total == 30
    assert any("cannot be shown with 30" in note for note in made.notes)
    assert made.models == ((pad.contract["name"], pad.info.identity),)

    for name in ("camera.yaml", "camera.json"):
        made.save(tmp_path / name)
        again = liveness.Calibration(tmp_path / name)
        assert again.to_yaml() == made.to_yaml()
        assert again.profiles == made.profiles
    assert liveness.Calibration.parse(made.to_yaml()).parameters == made.parameters

    frame, box = scene((1, 1, 150)), (CELL, CELL, CELL, CELL)
    plain = liveness.Predictor(pad).predict(frame, color="bgr", face=box)
    moved = liveness.Predictor(pad, calibration=made).predict(frame, color="bgr", face=box)
    assert moved.logit == pytest.approx(made.apply(plain.logit))
    assert moved.threshold == pytest.approx(made.profiles["balanced"].live)
    assert moved.faces[0].members[0].logit == plain.logit
    strict = liveness.Predictor(pad, calibration=made, profile="strict").predict(frame, color="bgr", face=box)
    assert strict.threshold == pytest.approx(made.profiles["strict"].live)


def test_calibration_belongs_to_its_models(tiny: Loader) -> None:
    scores, species, _ = camera()
    made = liveness.Calibration.fit(scores, species, [tiny("pad")])
    with pytest.raises(liveness.InvalidArgumentError, match='made for model "tiny_pad"'):
        liveness.Predictor(tiny("strict"), calibration=made)
    with pytest.raises(liveness.InvalidArgumentError, match="made for 1 models"):
        liveness.Ensemble([tiny("pad"), tiny("strict")], calibration=made)
    both = liveness.Calibration.fit(scores, species, [tiny("pad"), tiny("strict")], fusion=liveness.Fusion.MINIMUM)
    liveness.Ensemble([tiny("pad"), tiny("strict")], calibration=both, fusion=liveness.Fusion.MINIMUM)
    with pytest.raises(liveness.InvalidArgumentError, match="fusion minimum, given is mean"):
        liveness.Ensemble([tiny("pad"), tiny("strict")], calibration=both)


def test_targets_and_refusals(tiny: Loader, tmp_path: Path) -> None:
    scores, species, _ = camera()
    targets = {"balanced": liveness.ErrorTarget("bpcer", 0.1), "gate": liveness.ErrorTarget("apcer", 0.2)}
    made = liveness.Calibration.fit(scores, species, [tiny("pad")], targets=targets)
    assert made.profiles["balanced"].target == "BPCER <= 10 %"
    assert made.profiles["gate"].target == "APCER <= 20 %"
    with pytest.raises(liveness.InvalidArgumentError, match="balanced"):
        liveness.Calibration.fit(scores, species, [tiny("pad")], targets={"gate": liveness.ErrorTarget()})
    with pytest.raises(liveness.InvalidArgumentError, match="kind"):
        liveness.Calibration.fit(scores, species, [tiny("pad")], targets={"balanced": liveness.ErrorTarget("best")})  # type: ignore[arg-type]
    with pytest.raises(liveness.InvalidStateError, match="no bona fide"):
        liveness.Calibration.fit([1.0], ["print"], [tiny("pad")])
    (tmp_path / "wrong.yaml").write_text(made.to_yaml().replace("method:", "mehtod:"))
    with pytest.raises(liveness.ConfigInvalidError, match=r"wrong\.yaml:\d+:1: mehtod: unknown key"):
        liveness.Calibration(tmp_path / "wrong.yaml")
    with pytest.raises(liveness.NotFoundError):
        liveness.Calibration(tmp_path / "missing.yaml")
