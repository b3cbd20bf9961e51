"""One file for everything that can be set."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liveness import _core
from liveness._errors import ConfigInvalidError
from liveness._handle import Handle
from liveness._model import Model, Path
from liveness._predictor import Ensemble, Profiler
from liveness._resources import Governor
from liveness._stream import Verifier


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One key and what it says now."""

    key: str
    value: Any
    source: str
    """"default", "file", "environment" or "flag"."""
    where: str
    """"default", "FILE:LINE:COLUMN", the variable's name, or "flag"."""
    meaning: str
    live: bool
    """:meth:`Config.reload` may change it in a running stream."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Keys whose value in the file is another now."""

    changed: tuple[str, ...]
    """They hold from now on."""
    waiting: tuple[str, ...]
    """They need a new start; the values that run are kept."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The models of a configuration, loaded once for any number of streams."""

    pad: tuple[Model, ...]
    detector: Model | None


class Config:
    """Values of keys ("section.name"): defaults, then a file, then the environment, then what the program sets.

    :param path: a .yaml, .yml or .json file; None: defaults and nothing else
    """

    def __init__(self, path: Path | None = None) -> None:
        self._core = _core.Config() if path is None else _core.Config.load(os.fsencode(path))

    @classmethod
    def parse(cls, text: str, origin: str = "text") -> Config:
        """From a text in YAML, of which JSON is a part; without the environment."""
        config = cls()
        config._core = _core.Config.parse(text, origin)
        return config

    def read_environment(self) -> None:
        """Takes every variable LIVENESS_SECTION_NAME of the environment."""
        self._core.read_environment()

    def __getitem__(self, key: str) -> Any:
        """The value of a key."""
        return self.entry(key).value

    def __setitem__(self, key: str, value: str | float | Sequence[str | float] | None) -> None:
        """Sets a key, over file and environment."""
        if isinstance(value, str):
            text = value
        elif isinstance(value, Sequence):
            text = ",".join(str(item) for item in value)
        else:
            text = json.dumps(value)
        self._core.set(key, text)

    def keys(self) -> list[str]:
        """Every key, in the order of the documentation."""
        return self._core.keys()

    def entry(self, key: str) -> ConfigEntry:
        """A key with where its value came from."""
        name, value, source, where, meaning, live = self._core.entry(key)
        return ConfigEntry(name, json.loads(value), source, where, meaning, live)

    def to_yaml(self) -> str:
        """The effective values as YAML that can be read again, each with where it came from."""
        return self._core.to_yaml()

    def reload(self) -> Reloaded:
        """Reads the file again; one that does not check out raises and changes nothing."""
        changed, waiting = self._core.reload()
        return Reloaded(tuple(changed), tuple(waiting))

    def ensemble(self, profiler: Profiler | None = None) -> Ensemble:
        """What scores single pictures with the models that it names, or with those inside the library."""
        made = Ensemble.__new__(Ensemble)
        core = _core.Ensemble.from_config(self._core, None if profiler is None else profiler._core)
        Handle.__init__(made, core)
        return made

    def networks(self) -> Networks:
        """Loads the models that it names; where it names no PAD network or no detector, that inside the library."""
        pad, detector = self._core.load_models()
        return Networks(tuple(_model(m) for m in pad), None if detector is None else _model(detector))

    def verifier(self, networks: Networks | None = None, profiler: Profiler | None = None) -> Verifier:
        """What decides on one stream.

        :param networks: shared with other streams; None: those of :meth:`networks`
        """
        use = networks or self.networks()
        if not use.pad:
            raise ConfigInvalidError("models.pad: no PAD network is named or given")
        if use.detector is None:
            raise ConfigInvalidError("models.detector: no detector is named or given")
        made = Verifier.__new__(Verifier)
        measured = None if profiler is None else profiler._core
        models = [m._core for m in use.pad]
        Handle.__init__(made, _core.Verifier.from_config(self._core, models, use.detector._core, measured))
        return made

    def governor(self) -> Governor:
        """A governor with the budgets of the section ``resources``."""
        made = Governor.__new__(Governor)
        made._core = self._core.governor()
        return made

    @staticmethod
    def reference() -> str:
        """docs/configuration.md."""
        return _core.Config.reference()


def _model(core: _core.Model) -> Model:
    model = Model.__new__(Model)
    Handle.__init__(model, core)
    return model
