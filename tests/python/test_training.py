"""The training scripts on packages: they compute what the engine computes, and what they write is a package."""

import os
import sys
from pathlib import Path

import liveness
import numpy as np
import pytest
from conftest import TINY
from liveness import optimize

torch = pytest.importorskip("torch", reason="the training scripts need PyTorch")
TREE = Path(__file__).parents[2]
sys.path.insert(0, str(TREE / "models" / "training"))
import finetune  # noqa: E402
import package  # noqa: E402

MODELS = Path(os.environ.get("LIVENESS_MODELS", TREE.parent / "shared" / "models"))
FILES = {
    "minifasnet_v2_80_scale2.7": "minifasnet_v2_80",
    "minifasnet_v1se_80_scale4.0": "minifasnet_v1se_80",
    "minifasnet_v2se_128_scale1.5": "minifasnet_v2se_128",
    "yunet_s_320_320": "yunet_320",
    "landmark68_64": "landmark68_64",
}


def converted(name: str, folder: Path) -> Path:
    onnx = MODELS / f"{name}.onnx"
    if not onnx.exists():
        pytest.skip(f"{onnx} is not there (LIVENESS_MODELS)")
    liveness.convert(onnx, TREE / "models" / "contracts" / f"{FILES[name]}.yaml", folder / "net.safetensors", goldens=2)
    return folder / "net.safetensors"


def crops_for(path: Path, count: int) -> np.ndarray:
    channels, height, width = liveness.Model(path).info.input_shape
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, height // 8, width // 8, channels))
    return np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.uint8)


def check_same(path: Path, tolerance: float = 1e-4) -> None:
    network = package.Network(path)
    crops = crops_for(path, 3)
    values = package.to_values(crops, network.contract)
    with torch.no_grad():
        found = network(values)
    wanted = liveness.Model(path, precision="fp32").run(values.numpy())
    assert found.keys() == wanted.keys()
    for name, w in wanted.items():
        assert np.abs(found[name].numpy() - w).max() <= tolerance * max(1, np.abs(w).max())


def test_tiny_network_computes_what_the_engine_does():
    check_same(TINY / "pad.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_networks_compute_what_the_engine_does(name, tmp_path):
    path = converted(name, tmp_path)
    check_same(path)
    for storage in ("fp16", "int8"):
        optimize.quantize(path, tmp_path / "small.safetensors", storage=storage, qualify=[])
        check_same(tmp_path / "small.safetensors")


def test_pruned_network_is_mended(tmp_path):
    path = converted("minifasnet_v2_80_scale2.7", tmp_path)
    optimize.prune(path, tmp_path / "pruned.safetensors", ratio=0.2)
    student, teacher = package.Network(tmp_path / "pruned.safetensors"), package.Network(path).requires_grad_(False)
    history = finetune.train(student, teacher, crops_for(path, 24), epochs=2, batch=8, rate=3e-4, seed=1)
    assert history[-1] < 0.7 * history[0]
    student.save(tmp_path / "mended.safetensors")
    mended = liveness.Model(tmp_path / "mended.safetensors")  # checks the golden outputs that torch made
    assert mended.verify() < 1e-3
    assert mended.info.macs == liveness.Model(tmp_path / "pruned.safetensors").info.macs
    check_same(tmp_path / "mended.safetensors")


def test_gradients_guide_the_pruning(tmp_path):
    path = converted("minifasnet_v2_80_scale2.7", tmp_path)
    crops = crops_for(path, 8)
    found = finetune.gradients(package.Network(path), crops, np.arange(8) % 3, batch=4)
    package.write(tmp_path / "gradients.safetensors", {}, found)
    report = optimize.prune(path, tmp_path / "taylor.safetensors", gradients=tmp_path / "gradients.safetensors")
    assert report.macs_after < 0.71 * report.macs_before
    other = optimize.prune(path, tmp_path / "norm.safetensors")
    assert report.widths != other.widths


@pytest.mark.parametrize("name", ["face_detector", "pad_default"])
def test_shipped_packages_can_be_saved_again(name, tmp_path):
    source, copy = TREE / "models" / f"{name}.safetensors", tmp_path / "copy.safetensors"
    package.Network(source).save(copy)  # golden inputs in blocks, outputs in part
    liveness.Model(copy, precision="fp32").verify()
