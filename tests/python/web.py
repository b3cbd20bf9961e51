"""What the tests of examples/web share: its modules, the miniature networks as its configuration, a server that runs."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import liveness
from conftest import TINY

TREE = Path(__file__).parents[2]
WEB = TREE / "examples" / "web"
sys.path.insert(0, str(WEB))

# The miniature networks score flat squares, which no quality limit would let pass.
TINY_CONFIG = f"""
models: {{pad: [{TINY.resolve()}/pad.safetensors], detector: {TINY.resolve()}/detector.safetensors}}
pipeline: {{tracker: none, birth: 1}}
decision: {{min_frames: 3, min_seconds: 0}}
accuracy:
  {{min_face_pixels: 0, min_sharpness: 0, min_luminance: 0, max_overexposed: 1, max_outside: 1, max_yaw: 180, max_pitch: 180}}
"""


MODELS = Path(os.environ.get("LIVENESS_MODELS", TREE.parent / "shared" / "models"))
PUBLISHED = {  # package: file
    "minifasnet_v2_80": "minifasnet_v2_80_scale2.7.onnx",
    "minifasnet_v1se_80": "minifasnet_v1se_80_scale4.0.onnx",
    "yunet_320": "yunet_s_320_320.onnx",
}


def missing_networks() -> str:
    """Why published_networks() cannot be; empty where it can."""
    absent = [file for file in PUBLISHED.values() if not (MODELS / file).is_file()]
    return f"no {', '.join(absent)} in {MODELS}" if absent else ""


def published_networks(folder: Path) -> Path:
    """Packages of the third-party networks, and a configuration that names them."""
    for package, file in PUBLISHED.items():
        contract = TREE / "models" / "contracts" / f"{package}.yaml"
        liveness.convert(MODELS / file, contract, folder / f"{package}.safetensors")
    *pad, detector = (f"{package}.safetensors" for package in PUBLISHED)
    config = folder / "published.yaml"
    config.write_text(f"models: {{pad: [{', '.join(pad)}], detector: {detector}}}")
    return config


_servers: dict[str, subprocess.Popen[str]] = {}


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """A server of its own process on a free port; gives its address, "http://127.0.0.1:PORT"."""
    command = [sys.executable, str(WEB / "server.py"), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert " at http" in line, f"the server said {line!r}"
            url = line.rsplit(" at ", 1)[1].strip().rstrip("/")
            _servers[url] = server
            yield url
        finally:
            server.terminate()
            server.wait(20)


def stop(url: str) -> None:
    """Ends a running() server before its time."""
    _servers[url].terminate()
    _servers[url].wait(20)
