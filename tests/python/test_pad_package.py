"""The shipped PAD packages keep what their cards promise, and the export computes what was trained."""

import re
import sys
from pathlib import Path

import liveness
import numpy as np
import pytest

TREE = Path(__file__).parents[2]
MOST = {"pad_default": (20e6, 700_000), "pad_public": (20e6, 700_000), "pad_tiny": (5e6, 200_000)}  # multiply-accumulates, bytes
PACKAGES = sorted((TREE / "models").glob("pad_*.safetensors"))


def test_the_default_is_there():
    assert "pad_default" in [p.stem for p in PACKAGES]


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: p.stem)
def test_package_keeps_its_cards_promises(path: Path):
    model = liveness.Model(path)
    contract = model.contract
    macs, size = MOST[path.stem]
    assert model.info.macs <= macs
    assert path.stat().st_size <= size
    assert contract["name"] == path.stem
    assert contract["task"] == "pad"
    assert contract["licence"] == "Apache-2.0"
    card = path.with_suffix(".md").read_text()
    assert f"{model.info.macs:,}" in card
    assert f"{path.stat().st_size:,}" in card
    told = re.search(r"qualified for: (.*)\n", card)
    assert told and told[1] == (", ".join(contract.get("qualified", [])) or "none")


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: p.stem)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_golden_inputs_hold_in_each_precision(path: Path, precision):
    assert liveness.Model(path, precision=precision).verify() <= 0.25


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: p.stem)
def test_profiles_are_in_order(path: Path):
    profiles = liveness.Model(path).contract["score"]["profiles"]
    strict, balanced, lenient = (profiles[name] for name in ("strict", "balanced", "lenient"))
    assert strict["live"] >= balanced["live"] >= lenient["live"]
    assert all("uncalibrated" not in p["target"] for p in profiles.values())


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: p.stem)
def test_same_crop_as_its_teacher(path: Path):
    teacher = (TREE / "models" / "contracts" / "minifasnet_v1se_80.yaml").read_text()
    crop = liveness.Model(path).contract["crop"]
    assert f"scale: {crop['scale']}" in teacher and f"box: {crop['box']}" in teacher
    assert crop["from"]["yunet"] == {"width": [0, 0.85], "height": [0, 0.85], "shift": [0, 0.067]}


def test_export_computes_what_was_trained(tmp_path):
    torch = pytest.importorskip("torch", reason="the training scripts need PyTorch")
    sys.path[:0] = [str(TREE / "models" / "training"), str(TREE / "models" / "training" / "pad")]
    import export
    import network
    import package

    for size in network.SIZES:
        torch.manual_seed(3)
        student = network.Student(size)
        student.train()(torch.rand(8, 3, 80, 80) * 255)  # norms that are not those of the start
        student.eval()
        graph, tensors = export.graph(student, 0.5, -1.25)
        profiles = {"balanced": {"live": 0.5, "spoof": 0.5, "target": "none"}}
        contract = export.contract(size, "1", {"profiles": profiles}, "a test")
        path = tmp_path / f"{size}.safetensors"
        package.write(path, {"format": 1, "contract": contract, "graph": graph, "goldens": []}, tensors)
        model = liveness.Model(path, precision="fp32")
        assert abs(model.info.macs - student.macs()) <= 0.001 * student.macs()
        pixels = np.random.default_rng(1).integers(0, 256, (4, 80, 80, 3), dtype=np.uint8)
        with torch.no_grad():
            wanted = student(network.values(pixels)).numpy() * 0.5 + np.float32([0, -1.25, 0])
        assert np.abs(model.run_pixels(pixels)["logits"] - wanted).max() <= 1e-3 * np.abs(wanted).max()
