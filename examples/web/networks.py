"""Which networks the server runs: loaded once, shared by all visitors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import liveness

TREE = Path(__file__).resolve().parents[2]
UNUSED_SECTIONS = ("resources", "monitoring", "logging")

# Stand-ins until packages of the project's own are found: file and contract.
THIRD_PARTY_PAD = (
    ("minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml"),
    ("minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80.yaml"),
)
THIRD_PARTY_DETECTOR = (("yunet_s_320_320.onnx", "yunet_320.yaml"),)


@dataclass(frozen=True, slots=True)
class Shared:
    """Immutable, used by every visitor's threads at once."""

    config: liveness.Config
    networks: liveness.Networks
    pictures: liveness.Ensemble
    """Scores single pictures."""

    @property
    def names(self) -> list[str]:
        return [model.name for model in self.networks.pad]


def read_config(path: str | os.PathLike[str] | None) -> liveness.Config:
    """The library's configuration file, with defaults that suit a page."""
    config = liveness.Config(path)
    if path is None:
        config.read_environment()
    # A page sends 10 to 15 frames a second, not a camera's 30: each is scored, or a decision takes three times as long.
    if config.entry("pipeline.score_every").source == "default":
        config["pipeline.score_every"] = 1
    return config


def unused_keys(config: liveness.Config) -> list[str]:
    """Keys that were set and that this server does not use, each with where."""
    return [
        f"{key} ({config.entry(key).where})"
        for key in config.keys()
        if key.split(".")[0] in UNUSED_SECTIONS and config.entry(key).source != "default"
    ]


def load(config: liveness.Config) -> Shared:
    """Loads what the configuration names; where it names nothing, what `liveness watch` would take.

    Raises LivenessError, which says what is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        if not config["models.pad"]:
            config["models.pad"] = _default("pad_default", THIRD_PARTY_PAD, Path(folder))
        if not config["models.detector"]:
            config["models.detector"] = _default("face_detector", THIRD_PARTY_DETECTOR, Path(folder))[0]
        return Shared(config, config.networks(), config.ensemble())


def _default(package: str, third_party: Sequence[tuple[str, str]], folder: Path) -> list[str]:
    places = [Path(p) for p in os.environ.get("LIVENESS_MODEL_PATH", "").split(":") if p] + [TREE / "models"]
    for place in places:
        if (place / f"{package}.safetensors").is_file():
            return [str(place / f"{package}.safetensors")]
    models = Path(os.environ.get("LIVENESS_MODELS", TREE.parent / "shared" / "models"))
    made = []
    for file, contract in third_party:
        if not (models / file).is_file():
            raise liveness.NotFoundError(
                f"{package}.safetensors is not in {' or '.join(map(str, places))}, nor {file} in {models}: "
                "name the networks in --config"
            )
        made.append(str(folder / f"{Path(contract).stem}.safetensors"))
        liveness.convert(models / file, TREE / "models" / "contracts" / contract, made[-1])
    return made
