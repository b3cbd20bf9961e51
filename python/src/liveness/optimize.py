"""Smaller and faster packages, what that does to the scores, and the way back to ONNX.

>>> from liveness import Model, optimize
>>> samples = optimize.Samples(Model("net.safetensors"))
>>> samples.add(image, color="bgr", face=box, label="bona_fide")  # and so on
>>> report = optimize.quantize("net.safetensors", "small.safetensors", samples=samples)
>>> print(report.bytes_after / report.bytes_before, *report.qualifications)
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from liveness import _core
from liveness._handle import Handle
from liveness._model import Model, Path
from liveness._types import Box, Color

Label = Literal["unknown", "bona_fide", "attack"]
Storage = Literal["fp32", "fp16", "int8"]

__all__ = [
    "ErrorRates",
    "LayerReport",
    "PruneReport",
    "Qualification",
    "QuantizeReport",
    "Samples",
    "ScoreDrift",
    "WidthReport",
    "export_onnx",
    "prune",
    "quantize",
]


class Samples(Handle[_core.Samples]):
    """Crops to measure a network on. To be filled by one thread.

    :param model: whose input and crop they are for
    """

    def __init__(self, model: Model) -> None:
        super().__init__(_core.Samples(model._core))

    def add(
        self,
        image: npt.NDArray[np.uint8],
        *,
        color: Color,
        face: Sequence[float] | None = None,
        box_convention: str = "yunet",
        label: Label = "unknown",
    ) -> None:
        """Adds the face in a picture; the crop is copied.

        :param face: its box (x, y, width, height); None: the picture is a crop in the network's own size, or, for a
            detector, any picture
        :param box_convention: whose box that is
        """
        self._core.add(image, color, None if face is None else Box(*face), box_convention, label)

    def __len__(self) -> int:
        return self._core.size()


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """At the bound of LIVE of the profile "balanced"; attacks of all species together."""

    apcer: float
    """Share of attacks that are called LIVE."""
    bpcer: float
    """Share of bona fide presentations that are not."""
    attacks: int
    bona_fide: int


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """How far a changed network is from the one it was made of."""

    samples: int
    outputs: float
    """Largest difference of an output value, relative to max(1, largest value of that output)."""
    mean_score: float
    """Mean difference of P(live), or of the confidence of faces that both find; of others 0, as what follows."""
    max_score: float
    flips: float
    """Share of samples that are LIVE, or in which a face is found, by one of the two alone."""
    boxes: float
    """Of a detector: mean of 1 - IoU of the faces that both find."""
    landmarks: float
    """Likewise: mean distance of their landmarks over the longer side of the box."""
    before: ErrorRates | None
    """Where there are labels."""
    after: ErrorRates | None


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer with weights."""

    name: str
    bytes: int
    """Of its weights in the new package."""
    error: float
    """What rounding this layer alone does to the outputs: root mean square of the difference, relative."""
    quantized: bool
    """False: left in fp32."""


@dataclass(frozen=True, slots=True)
class Qualification:
    """The gate's answer for one precision."""

    precision: str
    passed: bool
    reason: str
    milliseconds: float
    """Of one pass on this machine, median."""
    drift: ScoreDrift


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What :func:`quantize` did."""

    bytes_before: int
    bytes_after: int
    milliseconds_before: float
    """One pass in fp32, median."""
    stored: ScoreDrift
    """What storage alone does, all arithmetic in fp32."""
    layers: tuple[LayerReport, ...]
    qualifications: tuple[Qualification, ...]


@dataclass(frozen=True, slots=True)
class WidthReport:
    """One width of the network, named after the layer that makes it."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What :func:`prune` did."""

    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    milliseconds_before: float
    milliseconds_after: float
    widths: tuple[WidthReport, ...]
    drift: ScoreDrift | None
    """Where there were samples."""


def _rates(raw: dict[str, Any] | None) -> ErrorRates | None:
    return None if raw is None else ErrorRates(**raw)


def _drift(raw: dict[str, Any]) -> ScoreDrift:
    return ScoreDrift(**{**raw, "before": _rates(raw["before"]), "after": _rates(raw["after"])})


def quantize(
    package: Path,
    out: Path,
    *,
    storage: Storage = "int8",
    qualify: Sequence[Literal["bf16", "int8"]] = ("int8",),
    max_acer: float = 0.005,
    max_flips: float = 0.01,
    max_score: float = 0.02,
    samples: Samples | None = None,
    sensitive: float = 0.25,
    keep: Sequence[str] = (),
) -> QuantizeReport:
    """Package to package: rounds the weights, finds out which layers suffer, and lets the package claim the precisions
    that pass the gate and no others.

    :param storage: how the weights are kept: "int8" with a scale an output channel (layers with few weights as half
        floats), "fp16", or "fp32" as they are
    :param qualify: precisions to be measured
    :param max_acer: gate: growth of (APCER + BPCER) / 2, as a share; needs labels
    :param max_flips: gate: share of samples whose verdict changes, or in which a face comes or goes
    :param max_score: gate: mean change of scores; of a detector also of boxes (1 - IoU) and landmarks
    :param samples: for the gate; None: nothing can be qualified
    :param sensitive: share of the layers that may be left in fp32 to pass the gate, the most sensitive ones first
    :param keep: names of layers that stay fp32 in any case
    """
    gate = (max_acer, max_flips, max_score)
    core = None if samples is None else samples._core
    raw = json.loads(
        _core.quantize(
            os.fsencode(package), os.fsencode(out), storage, list(qualify), gate, core, sensitive, list(keep)
        )
    )
    return QuantizeReport(
        **{
            **raw,
            "stored": _drift(raw["stored"]),
            "layers": tuple(LayerReport(**layer) for layer in raw["layers"]),
            "qualifications": tuple(
                Qualification(**{**q, "drift": _drift(q["drift"])}) for q in raw["qualifications"]
            ),
        }
    )


def prune(
    package: Path,
    out: Path,
    *,
    ratio: float = 0.3,
    per_layer: bool = False,
    multiple: int = 16,
    gradients: Path | None = None,
    samples: Samples | None = None,
) -> PruneReport:
    """Package to package without the least important channels, which are taken out of every layer that they run through.

    :param ratio: share of the multiply-accumulates to take out, above 0 and below 1
    :param per_layer: every width shrinks by the same share; otherwise the least important channels go first
    :param multiple: widths stay multiples of it, or as they were
    :param gradients: safetensors file with a gradient for each weight, for importance; None: the weights' L2 norm
    :param samples: for the drift
    """
    core = None if samples is None else samples._core
    path = None if gradients is None else os.fsencode(gradients)
    raw = json.loads(_core.prune(os.fsencode(package), os.fsencode(out), ratio, per_layer, multiple, path, core))
    return PruneReport(
        **{
            **raw,
            "widths": tuple(WidthReport(**width) for width in raw["widths"]),
            "drift": None if raw["drift"] is None else _drift(raw["drift"]),
        }
    )


def export_onnx(
    package: Path, onnx: Path, *, opset: int = 13, quantized: bool = False, activations: Samples | None = None
) -> None:
    """Writes a package as an ONNX file with a free batch axis.

    :param opset: 11 to 17
    :param quantized: weights that the package keeps as int8 stay so, behind DequantizeLinear (opset 13 and later)
    :param activations: with `quantized`: activations that feed such layers become unsigned 8 bits too, over the ranges
        seen in these samples; None: they stay float
    """
    core = None if activations is None else activations._core
    _core.export_onnx(os.fsencode(package), os.fsencode(onnx), opset, quantized, core)
