"""From a picture to a verdict."""

import dataclasses
import math

import liveness
import numpy as np
import pytest
from conftest import CELL, scene
from liveness import Fusion, Reason, Verdict

BOX = (CELL, CELL, CELL, CELL)


def test_verdicts(predictor):
    for green, verdict in ((190, Verdict.LIVE), (60, Verdict.SPOOF)):
        result = predictor.predict(scene((1, 1, green)), color="bgr")
        assert result.verdict is verdict
        assert result.reasons == Reason(0)
        assert result.model == "tiny_pad"
        assert result.threshold == 0.5
        assert result.logit == pytest.approx(math.log(result.score / (1 - result.score)), abs=0.05)
        (face,) = result.faces
        assert face.verdict is verdict
        assert face.score == result.score
        assert face.face.box == pytest.approx(BOX, abs=2)
        assert face.face.landmarks is not None and len(face.face.landmarks) == 5
        assert face.members == (liveness.MemberScore("tiny_pad", result.score, result.logit),)
        assert face.quality.face_pixels == pytest.approx(CELL, abs=2)
        assert 0 < result.time.infer <= result.time.total


def test_no_face(predictor):
    result = predictor.predict(scene(), color="bgr")
    assert result.verdict is Verdict.NO_FACE
    assert result.score == 0
    assert result.faces == ()


def test_given_faces(tiny):
    predictor = liveness.Predictor(tiny("pad"))
    frame = scene((1, 1, 190))
    by_box = predictor.predict(frame, color="bgr", face=BOX)
    by_face = predictor.predict(frame, color="bgr", face=liveness.Face(liveness.Box(*BOX)))
    assert by_box.score == by_face.score
    assert by_box.faces[0].face.landmarks is None
    points = tuple(liveness.Point(90 + 10 * i, 100) for i in range(5))
    turned = predictor.predict(frame, color="bgr", face=liveness.Face(liveness.Box(*BOX), points))
    assert turned.faces[0].face.landmarks == points
    with pytest.raises(liveness.InvalidStateError, match="detector"):
        predictor.predict(frame, color="bgr")
    for bad in ((80, 80, 0, 80), (float("nan"), 80, 80, 80), (1000, 80, 80, 80)):
        with pytest.raises(ValueError, match="box"):
            predictor.predict(frame, color="bgr", face=bad)
    with pytest.raises(TypeError):
        predictor.predict(frame, color="bgr", face=(1, 2, 3))


def test_options(tiny):
    frame = scene((1, 1, 60))
    lax = liveness.Predictor(tiny("pad"), threshold=0.0)
    assert lax.predict(frame, color="bgr", face=BOX).verdict is Verdict.LIVE  # zero is a value
    small = liveness.Predictor(tiny("pad"), limits=liveness.QualityLimits(min_face_pixels=100))
    result = small.predict(frame, color="bgr", face=BOX)
    assert result.verdict is Verdict.UNCERTAIN
    assert result.reasons == Reason.TOO_SMALL
    assert result.reasons.sentences == ("The face is too small: move closer to the camera.",)
    assert result.reasons.names == ("too_small",)
    bold = liveness.Predictor(tiny("pad"), limits=liveness.QualityLimits(min_face_pixels=100), abstain=Reason(0))
    assert bold.predict(frame, color="bgr", face=BOX).verdict is Verdict.SPOOF
    everyone = liveness.Predictor(tiny("pad"), detector=tiny("detector"), all_faces=True)
    two = everyone.predict(scene((1, 1, 190), (3, 2, 60)), color="bgr")
    assert {f.verdict for f in two.faces} == {Verdict.LIVE, Verdict.SPOOF}
    assert Reason.SEVERAL_FACES in two.reasons


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"profile": "sloppy"}, "sloppy"),
        ({"augmentation": liveness.Augmentation(crops=-1)}, "crops"),
        ({"detection": liveness.DetectorOptions(max_faces=0)}, "max_faces"),
        ({"detection": liveness.DetectorOptions(score_threshold=-1)}, "score_threshold"),
    ],
)
def test_bad_options(tiny, options, names):
    with pytest.raises(ValueError, match=names):
        liveness.Predictor(tiny("pad"), detector=tiny("detector"), **options)


def test_ensemble(tiny):
    frame = scene((1, 1, 190))
    models = [tiny("pad"), tiny("strict")]
    singles = [liveness.Predictor(m).predict(frame, color="bgr", face=BOX).score for m in models]
    for fusion, weights, expected in (
        (Fusion.MEAN, (), sum(singles) / 2),
        (Fusion.WEIGHTED, (3, 1), (3 * singles[0] + singles[1]) / 4),
        (Fusion.MINIMUM, (), min(singles)),
    ):
        ensemble = liveness.Ensemble(models, fusion=fusion, weights=weights)
        result = ensemble.predict(frame, color="bgr", face=BOX)
        assert result.score == pytest.approx(expected, abs=1e-6)
        assert [m.score for m in result.faces[0].members] == singles
        assert result.model == "tiny_pad+tiny_strict"
    with pytest.raises(ValueError, match="weight"):
        liveness.Ensemble(models, fusion=Fusion.WEIGHTED)
    with pytest.raises(ValueError, match="member"):
        liveness.Ensemble([])


def test_batch_equals_single_calls(predictor):
    frames = [scene((1, 1, 40 + 20 * i)) for i in range(7)]
    items = predictor.predict_batch(frames, color="bgr", threads=3)
    for frame, item in zip(frames, items, strict=True):
        single = predictor.predict(frame, color="bgr")
        assert dataclasses.replace(item.get(), time=single.time) == single
    items = predictor.predict_batch(frames, color="bgr", boxes=[BOX] * 6 + [(0, 0, -1, 0)])
    assert [item.error is None for item in items] == [True] * 6 + [False]
    assert isinstance(items[6].error, liveness.InvalidArgumentError)
    with pytest.raises(ValueError, match="boxes"):
        predictor.predict_batch(frames, color="bgr", boxes=[BOX])
    with pytest.raises(ValueError, match="threads"):
        predictor.predict_batch(frames, color="bgr", threads=-1)
    assert predictor.predict_batch([], color="bgr") == []


def test_detector(tiny):
    frame = scene((1, 1, 190), (3, 0, 60))
    faces = liveness.FaceDetector(tiny("detector")).detect(frame, color="bgr")
    assert sorted(round(f.box.x / CELL) for f in faces) == [1, 3]
    assert all(0.9 < f.score <= 1 for f in faces)
    one = liveness.FaceDetector(tiny("detector"), liveness.DetectorOptions(max_faces=1))
    assert len(one.detect(frame, color="bgr")) == 1
    with pytest.raises(ValueError, match="tiny_pad"):
        liveness.FaceDetector(tiny("pad"))


def test_roi_and_raw_pass_give_the_score(tiny):
    frame = scene((1, 1, 190))
    pad, strict = tiny("pad"), tiny("strict")
    crops = liveness.RoiProcessor([pad, strict], box_convention="yunet").extract(frame, BOX, color="bgr")
    assert [c.values.shape for c in crops] == [(3, 8, 8), (3, 12, 12)]
    assert crops[0].region == pytest.approx(BOX, abs=1)
    assert crops[1].region.width == pytest.approx(120, abs=1)
    logits = pad.run(crops[0].values)["scores"]
    score = np.exp(logits[1]) / np.exp(logits).sum()
    assert liveness.Predictor(pad).predict(frame, color="bgr", face=BOX).score == pytest.approx(score, abs=1e-5)
    with pytest.raises(ValueError, match="crop"):
        liveness.RoiProcessor([tiny("detector")])
    with pytest.raises(liveness.UnsupportedError, match="nobody"):
        liveness.RoiProcessor([pad], box_convention="nobody")


def test_profiler(tiny):
    profiler = liveness.Profiler()
    predictor = liveness.Predictor(tiny("pad"), detector=tiny("detector"), profiler=profiler)
    for _ in range(3):
        predictor.predict(scene((1, 1, 190)), color="bgr")
    assert profiler.get("frames") == 3
    assert profiler.get("infer.p99_ms") > 0
    assert profiler.figures()["stages"]["infer"]["count"] == 3
    assert "infer" in str(profiler)
    assert "infer.p99_ms" in liveness.Profiler.keys()
    with pytest.raises(liveness.NotFoundError, match="warp"):
        profiler.get("warp")
    profiler.reset()
    assert profiler.get("frames") == 0


def test_results_are_frozen(predictor):
    result = predictor.predict(scene((1, 1, 190)), color="bgr")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.verdict = Verdict.LIVE
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.faces[0].quality.yaw = 1
