"""The torch backend in Python, users' programs, and this library's engine inside PyTorch; PyTorch itself is loaded here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import liveness
import numpy as np
import pytest
import torch

TINY = Path(os.environ["LIVENESS_TINY"])
PLUGIN = Path(os.environ["LIVENESS_TORCH_PLUGIN"])
PAD = TINY / "pad.safetensors"


class TinyNet(torch.nn.Module):
    """What tiny_models.hpp's network answers: the mean of green against two others."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        green = (x.mean(dim=(2, 3))[:, 1:2] - 128.0) / 16.0
        return torch.cat([torch.zeros_like(green), green, torch.zeros_like(green)], 1)


@pytest.fixture
def contract(tmp_path):
    file = tmp_path / "net.json"
    file.write_text(json.dumps(liveness.Model(PAD).contract))
    return file


@pytest.fixture
def values():
    return np.random.default_rng(1).uniform(0, 255, (4, 3, 8, 8)).astype(np.float32)


def test_backend(values):
    native, found = liveness.Model(PAD), liveness.Model(PAD, backend="torch", plugin=PLUGIN)
    assert (found.info.backend, found.info.device, found.info.fallback) == ("torch", "cpu", "")
    assert np.allclose(found.run(values)["scores"], native.run(values)["scores"], atol=1e-4)
    pixels = np.random.default_rng(2).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert np.allclose(found.run_pixels(pixels)["scores"], native.run_pixels(pixels)["scores"], atol=1e-4)
    assert np.array_equal(native.run_pixels(pixels[0])["scores"], native.run_pixels(pixels)["scores"][0])
    with pytest.raises(ValueError, match="uint8"):
        found.run_pixels(values)
    with pytest.raises(ValueError, match=r"\(batch, 8, 8, 3\)"):
        found.run_pixels(pixels[:, :7])


def test_fall_back():
    info = liveness.Model(PAD, backend="torch", device="cuda:99").info
    assert info.device == "cpu" and "cuda:99" in info.fallback


def test_backends():
    native, found = liveness.backends(PLUGIN)
    assert native.backend == "native" and native.available
    assert found.available, found.missing
    assert found.version == torch.__version__ and "cpu" in found.devices
    missing = liveness.backends("/nowhere/x.so")[1]
    assert not missing.available and "/nowhere/x.so" in missing.missing


def test_torch_script(tmp_path, contract, values):
    path = tmp_path / "net.pt"
    torch.jit.trace(TinyNet(), torch.zeros(1, 3, 8, 8)).save(str(path))
    with pytest.raises(liveness.UnsupportedError, match="allow_code"):
        liveness.Model(path)
    model = liveness.Model(path, allow_code=True)
    assert model.info.backend == "torch" and model.info.macs == 0
    assert model.contract["source_sha256"] != ""
    wanted = TinyNet()(torch.from_numpy(values)).numpy()
    assert np.allclose(model.run(values, threads=2)["scores"], wanted, atol=1e-5)
    frame = np.zeros((64, 64, 3), np.uint8)
    assert liveness.Predictor(model).predict(frame, color="bgr", face=(4, 4, 40, 40)).score < 0.01


class Two(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean(dim=(2, 3)), x


class Whole(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).int()


class Named(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"features": x.mean(dim=(2, 3))}


@pytest.mark.parametrize(
    "net, message", [(Whole(), "floating-point"), (Named(), "scores"), (torch.nn.Linear(5, 5), "contract's size")]
)
def test_a_program_must_fit_its_contract(tmp_path, contract, net, message):
    path = tmp_path / "net.pt"
    torch.jit.script(net).save(str(path))
    with pytest.raises(liveness.ModelInvalidError, match=message):
        liveness.Model(path, allow_code=True)


def test_a_program_with_two_outputs(tmp_path, contract):
    path = tmp_path / "net.pt"
    torch.jit.trace(Two(), torch.zeros(1, 3, 8, 8)).save(str(path))
    assert [o.name for o in liveness.Model(path, allow_code=True).info.outputs] == ["scores", "output1"]


def test_another_file_than_the_contract_is_for(tmp_path, contract):
    text = json.loads(contract.read_text())
    text["source_sha256"] = "0" * 64
    contract.write_text(json.dumps(text))
    path = tmp_path / "net.pt"
    torch.jit.trace(TinyNet(), torch.zeros(1, 3, 8, 8)).save(str(path))
    with pytest.raises(liveness.ModelInvalidError, match="SHA-256"):
        liveness.Model(path, allow_code=True)


@pytest.mark.skipif("LIVENESS_LONG_TESTS" not in os.environ, reason="compiles for a minute; LIVENESS_LONG_TESTS=1 runs it")
def test_ahead_of_time(tmp_path, contract, values):
    path = tmp_path / "net.pt2"
    exported = torch.export.export(TinyNet(), (torch.zeros(1, 3, 8, 8),))
    try:
        torch._inductor.aoti_compile_and_package(exported, package_path=str(path))
    except Exception as error:  # noqa: BLE001: no compiler, no headers of Python: nothing to do with this library
        pytest.skip(f"AOTInductor does not compile here: {error}")
    model = liveness.Model(path, allow_code=True)
    wanted = TinyNet()(torch.from_numpy(values)).numpy()
    assert np.allclose(model.run(values)["scores"], wanted, atol=1e-5)


def test_operators(values):
    torch.ops.load_library(PLUGIN)
    wanted = liveness.Model(PAD).run(values)["scores"]
    images = torch.from_numpy(values)
    (found,) = torch.ops.liveness.run(images, str(PAD), threads=2)
    assert np.allclose(found.numpy(), wanted, atol=1e-6)
    live = torch.ops.liveness.score(images, str(PAD), precision="fp32")
    assert live.shape == (4,)
    assert np.allclose(live.numpy(), torch.softmax(torch.from_numpy(wanted), 1)[:, 1].numpy(), atol=1e-5)
    pixels = images.to(torch.uint8)
    same = torch.ops.liveness.score(pixels.float(), str(PAD))
    assert torch.allclose(torch.ops.liveness.score(pixels, str(PAD)), same, atol=1e-5)
    assert torch.ops.liveness.score(torch.empty(3, 3, 8, 8, device="meta"), str(PAD)).shape == (3,)
    with pytest.raises(RuntimeError, match="expected Nx3x8x8, got 1x3x9x8"):
        torch.ops.liveness.score(torch.zeros(1, 3, 9, 8), str(PAD))
    with pytest.raises(RuntimeError, match="nowhere"):
        torch.ops.liveness.score(images, "/nowhere/net.safetensors")
    with pytest.raises(RuntimeError, match="int4"):
        torch.ops.liveness.score(images, str(PAD), precision="int4")


def test_quantize_dynamic_leaves_convolutions_alone():
    """Why the torch backend quantises by itself."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Flatten(), torch.nn.Linear(16, 2))
    quantized = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Conv2d, torch.nn.Linear}, dtype=torch.qint8)
    assert type(quantized[0]) is torch.nn.Conv2d
    assert type(quantized[2]) is not torch.nn.Linear


def test_importing_liveness_does_not_import_torch():
    code = "import sys, liveness; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
