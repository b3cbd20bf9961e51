"""Loading, asking, running and closing models; errors by status."""

import json

import liveness
import numpy as np
import pytest
from conftest import TINY, scene


def test_what_a_model_says(tiny):
    model = tiny("pad")
    assert model.name == "tiny_pad"
    assert model.contract["task"] == "pad"
    json.dumps(model.contract)
    info = model.info
    assert info.input_shape == (3, 8, 8)
    assert info.outputs == (liveness.TensorInfo("scores", (3,)),)
    assert [n.type for n in info.nodes] == ["global_average_pool", "reshape", "linear"]
    assert info.parameters == 12
    assert info.isa in liveness.available_isas()
    assert len(info.identity) == 32
    assert model.verify() == 0
    assert "tiny_pad" in repr(model)
    steps = model.profile(3)
    assert steps and all(s.microseconds >= 0 for s in steps)


def test_from_bytes_on_every_instruction_set(tiny):
    package = (TINY / "pad.safetensors").read_bytes()
    values = np.random.default_rng(1).uniform(0, 255, (3, 8, 8)).astype(np.float32)
    expected = tiny("pad").run(values)["scores"]
    assert "portable" in liveness.available_isas()
    for isa in liveness.available_isas():
        model = liveness.Model.from_bytes(package, isa=isa)
        assert model.info.isa == isa
        assert np.allclose(model.run(values)["scores"], expected, atol=1e-4)


def test_precision_backend_device(tiny):
    info = tiny("pad").info
    assert (info.backend, info.precision, info.device, info.fallback) == ("native", "fp32", "cpu", "")
    values = np.random.default_rng(3).uniform(0, 255, (3, 8, 8)).astype(np.float32)
    expected = tiny("pad").run(values)["scores"]
    for precision in ("fp32", "bf16", "int8"):
        model = liveness.Model(TINY / "pad.safetensors", precision=precision, backend="native")
        assert model.info.precision == precision or model.info.fallback
        assert np.allclose(model.run(values)["scores"], expected, atol=0.2)
    with pytest.raises(liveness.UnsupportedError, match="fp16"):
        liveness.Model(TINY / "pad.safetensors", precision="fp16", backend="native")
    with pytest.raises(ValueError, match="precision"):
        liveness.Model(TINY / "pad.safetensors", precision="int4")
    with pytest.raises(ValueError, match="backend"):
        liveness.Model(TINY / "pad.safetensors", backend="onnx")
    with pytest.raises(ValueError, match="gpu"):
        liveness.Model(TINY / "pad.safetensors", device="gpu")


def test_run_takes_batches(tiny):
    model = tiny("pad")
    values = np.random.default_rng(2).uniform(0, 255, (5, 3, 8, 8)).astype(np.float32)
    batch = model.run(values, threads=2)["scores"]
    assert batch.shape == (5, 3)
    for i in range(5):
        assert np.array_equal(batch[i], model.run(values[i])["scores"])
    assert np.array_equal(model.run(values.astype(np.float64))["scores"], batch)
    for shape in ((3, 8, 9), (8, 8), (1, 1, 3, 8, 8)):
        with pytest.raises(ValueError, match="input"):
            model.run(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="threads"):
        model.run(values, threads=0)


def test_errors_by_status(tmp_path):
    with pytest.raises(liveness.NotFoundError, match="nothing") as caught:
        liveness.Model(TINY / "nothing.safetensors")
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.status is liveness.Status.NOT_FOUND
    with pytest.raises(liveness.ModelInvalidError):
        liveness.Model(TINY / "truncated.safetensors")
    with pytest.raises(liveness.ModelInvalidError):
        liveness.Model.from_bytes(b"garbage")
    with pytest.raises(OSError, match=str(tmp_path)):
        liveness.Model(tmp_path)
    with pytest.raises(ValueError, match="isa"):
        liveness.Model(TINY / "pad.safetensors", isa="mmx")
    with pytest.raises(liveness.NotFoundError):
        liveness.convert(TINY / "nothing.onnx", "contract.json", tmp_path / "out.safetensors")
    assert not list(tmp_path.iterdir())
    # Every status has its class, and every class is a LivenessError.
    for status in liveness.Status:
        if status in (liveness.Status.OK, liveness.Status.BUFFER_TOO_SMALL, liveness.Status.ABI_MISMATCH):
            continue  # not from Python
        assert any(c.status is status for c in liveness.LivenessError.__subclasses__()), status


def test_closing(tiny):
    frame = scene((1, 1, 190))
    with tiny("pad") as model, tiny("detector") as detector:
        predictor = liveness.Predictor(model, detector=detector)
    assert model.closed
    with pytest.raises(liveness.InvalidStateError, match="Model is closed"):
        _ = model.info
    with pytest.raises(liveness.InvalidStateError, match="Model is closed"):
        liveness.Predictor(model)
    assert repr(model) == "<liveness.Model closed>"
    assert predictor.predict(frame, color="bgr").verdict is liveness.Verdict.LIVE  # shares what it needs
    with predictor:
        pass
    predictor.close()
    with pytest.raises(liveness.InvalidStateError, match="Predictor is closed"):
        predictor.predict(frame, color="bgr")
    with pytest.raises(liveness.InvalidStateError), predictor:
        pass
    for made in (
        liveness.FaceDetector(tiny("detector")),
        liveness.RoiProcessor([tiny("pad")]),
        liveness.Ensemble([tiny("pad")]),
    ):
        made.close()
        with pytest.raises(liveness.InvalidStateError, match=type(made).__name__):
            _ = made._core


def test_builtin():
    with pytest.raises(liveness.NotFoundError, match="no such"):
        liveness.Model.builtin("no such")
    names = liveness.builtin_models()
    if not names:
        with pytest.raises(liveness.NotFoundError, match="LIVENESS_EMBED"):
            liveness.Predictor()
        return
    assert {"pad", "detector"} <= {b.task for b in names}
    assert all(b.licence and b.bytes > 0 for b in names)
    for b in names:
        assert liveness.Model.builtin(b.name).name == b.name
    first = next(b for b in names if b.task == "pad")
    with liveness.Predictor(threshold=0.4) as predictor:
        result = predictor.predict(scene(), color="bgr")
        assert result.verdict == liveness.Verdict.NO_FACE
        assert result.model == first.name
        assert result.threshold == pytest.approx(0.4)
