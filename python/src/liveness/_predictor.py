"""From a picture to a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from liveness import _core
from liveness._errors import NotFoundError, error_of
from liveness._handle import Handle
from liveness._model import Model
from liveness._types import (
    ABSTAIN,
    BatchItem,
    Box,
    Color,
    DetectorOptions,
    Face,
    Fusion,
    QualityLimits,
    Reason,
    Result,
    face_from,
    result_from,
)

Image = npt.NDArray[np.uint8]


class Profiler:
    """Measures where the time goes: give it to predictors. Any number of threads may use it at once."""

    def __init__(self) -> None:
        self._core = _core.Profiler()

    @staticmethod
    def keys() -> list[str]:
        """Every key that :meth:`get` knows."""
        return _core.Profiler.keys()

    def get(self, key: str) -> float:
        """One figure: a counter ("frames"), or a stage's figure ("infer.p99_ms")."""
        value = self._core.get(key)
        if value is None:
            raise NotFoundError(f'key "{key}": there is no such figure')
        return value

    def figures(self) -> dict[str, Any]:
        """All figures: {"counters": {...}, "stages": {...}}."""
        figures: dict[str, Any] = json.loads(self._core.to_json())
        return figures

    def reset(self) -> None:
        """Forgets everything."""
        self._core.reset()

    def __str__(self) -> str:
        return self._core.to_table()


class FaceDetector(Handle[_core.FaceDetector]):
    """Finds faces. Immutable; any number of threads may use it at once."""

    def __init__(self, model: Model, options: DetectorOptions | None = None) -> None:
        super().__init__(_core.FaceDetector(model._core, _detection(options)))

    def detect(self, image: Image, *, color: Color) -> list[Face]:
        """The faces in a picture, best score first. The array is read in place."""
        return [face_from(f) for f in self._core.detect(image, color)]


class _Scorer(Handle[Any]):
    """What Predictor and Ensemble have in common."""

    def predict(self, image: Image, *, color: Color, face: Face | Sequence[float] | None = None) -> Result:
        """Scores one picture, which is read in place.

        :param image: uint8, rows of adjacent pixels; see :data:`Color` for the shapes
        :param face: the face or its box (x, y, width, height); None: the detector finds it
        """
        return result_from(self._core.predict(image, color, _face(face)))

    def predict_batch(
        self,
        images: Sequence[Image],
        *,
        color: Color,
        boxes: Sequence[Sequence[float]] | None = None,
        threads: int = 1,
    ) -> list[BatchItem]:
        """Scores pictures, `threads` at a time; equal to single calls. A picture that fails costs its own item only.

        :param boxes: one a picture; None: the detector finds the faces
        """
        rects = None if boxes is None else [Box(*b) for b in boxes]
        return [
            BatchItem(None, error_of(status, error)) if raw is None else BatchItem(result_from(raw), None)
            for raw, status, error in self._core.predict_batch(images, color, rects, threads)
        ]


class Predictor(_Scorer):
    """One PAD model, with or without a detector. Immutable; any number of threads may use it at once.

    :param detector: a detector model; without one every call must give the face
    :param profile: threshold profile of the package: strict, balanced, lenient
    :param threshold: 0 to 1, replaces the profile: LIVE at or above it, SPOOF below
    :param limits: bounds beyond which a quality value becomes a reason
    :param abstain: reasons that turn LIVE or SPOOF into UNCERTAIN
    :param all_faces: score all faces, not only the largest
    :param stability_crops: extra crops, shifted and scaled a little, that must give the same verdict
    :param box_convention: of the boxes that the caller gives
    """

    def __init__(
        self,
        model: Model,
        *,
        detector: Model | None = None,
        detection: DetectorOptions | None = None,
        profile: str = "balanced",
        threshold: float | None = None,
        limits: QualityLimits | None = None,
        abstain: Reason = ABSTAIN,
        all_faces: bool = False,
        stability_crops: int = 0,
        box_convention: str = "yunet",
        profiler: Profiler | None = None,
    ) -> None:
        options = _options(
            detector, detection, profile, threshold, limits, abstain, all_faces, stability_crops, box_convention
        )
        super().__init__(_core.Predictor(model._core, options, _profiler(profiler)))


class Ensemble(_Scorer):
    """Several PAD models, one verdict: they share one detection and one pass over the pixels a face.

    :param fusion: how the scores of the models become one
    :param weights: for Fusion.WEIGHTED: one a model, none negative, sum above 0
    :param disagreement: difference of the models' P(live) from which they disagree

    The other parameters are those of :class:`Predictor`.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        fusion: Fusion = Fusion.MEAN,
        weights: Sequence[float] = (),
        disagreement: float = 0.6,
        detector: Model | None = None,
        detection: DetectorOptions | None = None,
        profile: str = "balanced",
        threshold: float | None = None,
        limits: QualityLimits | None = None,
        abstain: Reason = ABSTAIN,
        all_faces: bool = False,
        stability_crops: int = 0,
        box_convention: str = "yunet",
        profiler: Profiler | None = None,
    ) -> None:
        options = _options(
            detector, detection, profile, threshold, limits, abstain, all_faces, stability_crops, box_convention
        )
        options |= {"fusion": int(fusion), "weights": list(weights), "disagreement": disagreement}
        super().__init__(_core.Ensemble([m._core for m in models], options, _profiler(profiler)))


def _face(face: Face | Sequence[float] | None) -> Any:
    if face is None:
        return None
    if isinstance(face, Face):
        return face.box, face.landmarks, face.score
    return Box(*face), None, 1.0


def _detection(options: DetectorOptions | None) -> tuple[float | None, float | None, int, float]:
    o = options or DetectorOptions()
    return o.score_threshold, o.nms_iou, o.max_faces, o.min_face


def _profiler(profiler: Profiler | None) -> _core.Profiler | None:
    return None if profiler is None else profiler._core


def _options(
    detector: Model | None,
    detection: DetectorOptions | None,
    profile: str,
    threshold: float | None,
    limits: QualityLimits | None,
    abstain: Reason,
    all_faces: bool,
    stability_crops: int,
    box_convention: str,
) -> dict[str, Any]:
    bounds = limits or QualityLimits()
    return {
        "detector": None if detector is None else detector._core,
        "detection": _detection(detection),
        "profile": profile,
        "threshold": threshold,
        "limits": tuple(getattr(bounds, name) for name in QualityLimits.__slots__),
        "abstain": int(abstain),
        "all_faces": all_faces,
        "stability_crops": stability_crops,
        "box_convention": box_convention,
    }
