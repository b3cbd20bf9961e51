"""Which networks the server runs: loaded once, shared by all visitors."""

from __future__ import annotations

import os
from dataclasses import dataclass

import liveness

UNUSED_SECTIONS = ("resources", "monitoring", "logging")


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
    """Loads what the configuration names; where it names nothing, the networks inside the library.

    Raises LivenessError, which says what is missing.
    """
    return Shared(config, config.networks(), config.ensemble())
