"""Models: load, ask, run, convert; and the crops that they want to see."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from liveness import _core
from liveness._handle import Handle
from liveness._types import Backend, BackendStatus, Box, Color, Isa, ModelInfo, NodeInfo, Precision, StepTime, TensorInfo

Path = str | os.PathLike[str]
Array = npt.NDArray[np.float32]


class Model(Handle[_core.Model]):
    """A network with its contract. Immutable; any number of threads may use it at once.

    :param path: a package (.safetensors), or an ONNX file that has a contract
    :param isa: instruction set; "auto": the best of this machine, or what LIVENESS_ISA in the environment names
    :param verify: score the package's golden inputs and fail where they miss
    :param contract: of an ONNX file; None: FILE.yaml, FILE.yml or FILE.json beside it
    :param precision: what the dense convolutions are computed in; "auto": the fastest that the package is qualified
        for and that the machine has instructions for, otherwise "fp32"
    :param backend: "native": this library's own engine; "torch": LibTorch, through a plugin; "auto": "native", unless
        the device asks for another
    :param device: "cpu", "cuda" (the first) or "cuda:1"; others than "cpu" need the backend "torch"
    :param plugin: the plugin's file; None: beside the library, then the folders of LIVENESS_PLUGIN_PATH
    :param allow_code: allow a user's TorchScript or AOTInductor file, which is a program and not data
    """

    def __init__(
        self,
        path: Path,
        *,
        isa: Isa = "auto",
        verify: bool = True,
        contract: Path | None = None,
        precision: Precision = "auto",
        backend: Backend = "auto",
        device: str = "cpu",
        plugin: Path | None = None,
        allow_code: bool = False,
    ) -> None:
        beside = None if contract is None else os.fsencode(contract)
        options = (isa, verify, precision, backend, device, None if plugin is None else os.fsencode(plugin), allow_code)
        super().__init__(_core.Model.load(os.fsencode(path), options, beside))

    @classmethod
    def from_bytes(
        cls,
        package: bytes,
        *,
        isa: Isa = "auto",
        verify: bool = True,
        precision: Precision = "auto",
        backend: Backend = "auto",
        device: str = "cpu",
        plugin: Path | None = None,
        allow_code: bool = False,
    ) -> Model:
        """The same from the bytes of a package."""
        options = (isa, verify, precision, backend, device, None if plugin is None else os.fsencode(plugin), allow_code)
        model = cls.__new__(cls)
        Handle.__init__(model, _core.Model.from_bytes(package, options))
        return model

    @classmethod
    def builtin(
        cls,
        name: str,
        *,
        isa: Isa = "auto",
        verify: bool = True,
        precision: Precision = "auto",
        backend: Backend = "auto",
        device: str = "cpu",
        plugin: Path | None = None,
    ) -> Model:
        """A network that is compiled into the library.

        :param name: as :func:`builtin_models` has it, or "pad" and "detector": the first one for that task
        """
        options = (isa, verify, precision, backend, device, None if plugin is None else os.fsencode(plugin), False)
        model = cls.__new__(cls)
        Handle.__init__(model, _core.Model.builtin(name, options))
        return model

    @property
    def contract(self) -> dict[str, Any]:
        """How to feed it and how to read it: name, input, crop, score, licence, provenance and more."""
        contract: dict[str, Any] = json.loads(self._core.contract_json())
        return contract

    @property
    def name(self) -> str:
        """Identity in results."""
        return str(self.contract["name"])

    @property
    def info(self) -> ModelInfo:
        """Figures about the graph, the weights and the memory."""
        raw = self._core.info()
        tensors = {
            key: tuple(TensorInfo(name, tuple(shape)) for name, shape in raw[key]) for key in ("inputs", "outputs")
        }
        nodes = tuple(NodeInfo(n, t, tuple(shape), macs, parameters) for n, t, shape, macs, parameters in raw["nodes"])
        return ModelInfo(**{**raw, **tensors, "nodes": nodes})

    def run(self, values: npt.ArrayLike, *, threads: int = 1) -> dict[str, Array]:
        """The raw pass, without crop and verdict.

        :param values: (channels, height, width) or (batch, channels, height, width) as the network takes them
        :param threads: images worked on side by side; the result does not depend on it
        :return: graph outputs by name, with a batch axis where `values` has one
        """
        array = np.ascontiguousarray(values, dtype=np.float32)
        single = array.ndim == 3
        outputs = self._core.run(array[np.newaxis] if single else array, threads)
        names = [name for name, _ in self._core.info()["outputs"]]
        return {name: out[0] if single else out for name, out in zip(names, outputs, strict=True)}

    def run_pixels(self, pixels: npt.NDArray[np.uint8], *, threads: int = 1) -> dict[str, Array]:
        """The same from pixels: uint8 (height, width, channels) or (batch, height, width, channels) in the network's own
        size and color order. On an accelerator they become values there."""
        array = np.asarray(pixels)
        if array.dtype != np.uint8:
            raise ValueError(f"pixels: expected uint8, got {array.dtype}")
        single = array.ndim == 3
        outputs = self._core.run_pixels(np.ascontiguousarray(array[np.newaxis] if single else array), threads)
        names = [name for name, _ in self._core.info()["outputs"]]
        return {name: out[0] if single else out for name, out in zip(names, outputs, strict=True)}

    def verify(self) -> float:
        """Scores the golden inputs; the largest difference from their known outputs. Raises where one is too large."""
        return self._core.verify()

    def profile(self, rounds: int = 100) -> list[StepTime]:
        """Medians of `rounds` passes, step by step."""
        return [StepTime(*step) for step in self._core.profile(rounds)]

    def __repr__(self) -> str:
        return "<liveness.Model closed>" if self.closed else f"<liveness.Model {self.name}>"


@dataclass(frozen=True, slots=True)
class BuiltinModel:
    """A package that is compiled into the library; :meth:`Model.builtin` loads it."""

    name: str
    task: str
    """"pad", "detector" or "other"."""
    licence: str
    bytes: int


def builtin_models() -> list[BuiltinModel]:
    """What is compiled into the library; empty where it was built without."""
    return [BuiltinModel(*raw) for raw in _core.builtin_models()]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """What one model sees of a face."""

    values: Array
    """(channels, height, width), ready for :meth:`Model.run`."""
    region: Box
    """Pixels of the frame; may reach outside where the model's border rule fills."""
    outside: float
    """Share of the wanted region that lies outside the frame, 0 to 1."""


class RoiProcessor(Handle[_core.RoiProcessor]):
    """Cuts what models want to see out of a frame: crop, border rule, resize, color order and range in one pass.

    :param models: one crop a model, of the same face
    :param box_convention: of the boxes that will be given, e.g. "yunet"; None: each model's own
    """

    def __init__(self, models: Sequence[Model], *, box_convention: str | None = None) -> None:
        super().__init__(_core.RoiProcessor([m._core for m in models], box_convention))

    def extract(self, image: npt.NDArray[np.uint8], face: Sequence[float], *, color: Color) -> list[Crop]:
        """One crop a model of the face in this box (x, y, width, height)."""
        crops = self._core.extract(image, color, Box(*face))
        return [Crop(values, Box(*region), outside) for values, region, outside in crops]


def convert(onnx: Path, contract: Path, package: Path, *, goldens: int = 4) -> None:
    """Makes a package from an ONNX file and its contract (JSON; YAML where the library was built with it).

    :param goldens: golden inputs to make, 0 to 64
    """
    _core.convert(os.fsencode(onnx), os.fsencode(contract), os.fsencode(package), goldens)


def backends(plugin: Path | None = None) -> list[BackendStatus]:
    """Who can run networks here: the native engine, then LibTorch. Loads the plugin, where there is one.

    :param plugin: its file; None: where :class:`Model` looks for it
    """
    raw = _core.backends(None if plugin is None else os.fsencode(plugin))
    return [
        BackendStatus(name, available, version, file, tuple(devices), blas, graphs, missing)
        for name, available, version, file, devices, blas, graphs, missing in raw
    ]


def available_isas() -> list[str]:
    """The instruction sets that this machine can run, slowest first."""
    return _core.available_isas()
