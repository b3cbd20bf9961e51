"""Smaller packages and the way back to ONNX."""

import json

import liveness
import numpy as np
import pytest
from conftest import TINY, scene
from liveness import optimize

PAD = TINY / "pad.safetensors"


@pytest.fixture
def samples(tiny):
    samples = optimize.Samples(tiny("pad"))
    for green, label in ((40, "attack"), (80, "attack"), (190, "bona_fide"), (220, "bona_fide")):
        samples.add(scene((1, 1, green)), color="bgr", face=(80, 80, 80, 80), label=label)
    return samples


def test_samples_take_faces_and_crops(tiny, samples):
    assert len(samples) == 4
    samples.add(np.zeros((8, 8, 3), np.uint8), color="rgb")
    assert len(samples) == 5
    with pytest.raises(liveness.InvalidArgumentError, match="9 x 8"):
        samples.add(np.zeros((8, 9, 3), np.uint8), color="rgb")
    with pytest.raises(liveness.InvalidArgumentError, match="label"):
        samples.add(np.zeros((8, 8, 3), np.uint8), color="rgb", label="live")
    with pytest.raises(liveness.UnsupportedError, match="martian"):
        samples.add(scene((1, 1, 9)), color="bgr", face=(80, 80, 80, 80), box_convention="martian")
    samples.close()
    with pytest.raises(liveness.InvalidStateError):
        len(samples)


def test_quantize_reports_and_claims(samples, tmp_path):
    out = tmp_path / "small.safetensors"
    report = optimize.quantize(PAD, out, samples=samples)
    assert report.bytes_before == PAD.stat().st_size
    assert report.bytes_after == out.stat().st_size
    assert [layer.name for layer in report.layers] == ["scores"]
    (q,) = report.qualifications
    assert q.passed and q.precision == "int8"
    assert q.drift.samples == 4
    assert q.drift.before == optimize.ErrorRates(apcer=0, bpcer=0, attacks=2, bona_fide=2)
    assert q.drift.before == q.drift.after
    assert liveness.Model(out).contract["qualified"] == ["int8"]
    report = optimize.quantize(PAD, out, storage="fp16", qualify=[])
    assert report.qualifications == ()
    assert "qualified" not in liveness.Model(out).contract


def test_quantize_without_samples_claims_nothing(tmp_path):
    report = optimize.quantize(PAD, tmp_path / "out.safetensors", qualify=["bf16", "int8"])
    assert [q.passed for q in report.qualifications] == [False, False]
    assert "samples" in report.qualifications[0].reason


def test_what_is_refused(samples, tmp_path):
    out = tmp_path / "out"
    for options, what in (
        ({"storage": "int4"}, "int4"),
        ({"qualify": ["fp64"]}, "fp64"),
        ({"max_flips": 2}, "flips"),
        ({"keep": ["nobody"]}, "nobody"),
    ):
        with pytest.raises(liveness.InvalidArgumentError, match=what):
            optimize.quantize(PAD, out, **options)
    with pytest.raises(liveness.InvalidArgumentError, match="ratio"):
        optimize.prune(PAD, out, ratio=1)
    with pytest.raises(liveness.UnsupportedError, match="multiply-accumulates"):
        optimize.prune(PAD, out)  # one layer, whose width is the output's
    with pytest.raises(liveness.NotFoundError, match="nowhere"):
        optimize.prune(tmp_path / "nowhere", out)
    with pytest.raises(liveness.InvalidArgumentError, match="opset"):
        optimize.export_onnx(PAD, out, opset=9)
    with pytest.raises(liveness.InvalidArgumentError, match="int8"):
        optimize.export_onnx(PAD, out, quantized=True)
    assert not out.exists()


def test_export_and_back(tiny, tmp_path):
    onnx = tmp_path / "net.onnx"
    optimize.export_onnx(PAD, onnx, opset=17)
    (tmp_path / "net.json").write_text(json.dumps(tiny("pad").contract))
    values = np.random.default_rng(1).uniform(0, 255, (2, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(liveness.Model(onnx).run(values)["scores"], tiny("pad").run(values)["scores"])
