"""From a picture to a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from liveness import _core
from liveness._cache import PredictionCache, WorkerPool
from liveness._calibration import Calibration
from liveness._errors import NotFoundError, error_of
from liveness._handle import Handle
from liveness._model import Model
from liveness._types import (
    ABSTAIN,
    Augmentation,
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

if TYPE_CHECKING:
    from typing_extensions import Unpack  # of typing from Python 3.11 on

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
        threads: int = 0,
    ) -> list[BatchItem]:
        """Scores pictures, `threads` at a time; equal to single calls. A picture that fails costs its own item only.

        :param boxes: one a picture; None: the detector finds the faces
        :param threads: 0: as many as the pool has, without one 1
        """
        rects = None if boxes is None else [Box(*b) for b in boxes]
        return [
            BatchItem(None, error_of(status, error)) if raw is None else BatchItem(result_from(raw), None)
            for raw, status, error in self._core.predict_batch(images, color, rects, threads)
        ]


class PredictorOptions(TypedDict, total=False):
    """What :class:`Predictor` takes by name."""

    detector: Model | None
    """Finds the faces; without one every call must give the face."""
    detection: DetectorOptions | None
    profile: str
    """Threshold profile of the package: strict, balanced (unless told), lenient."""
    threshold: float | None
    """0 to 1, replaces the profile: LIVE at or above it, SPOOF below."""
    calibration: Calibration | None
    """Made for exactly these models: scores become the calibrated ones, `profile` one of its profiles."""
    limits: QualityLimits | None
    """Bounds beyond which a quality value becomes a reason."""
    abstain: Reason
    """Reasons that turn LIVE or SPOOF into UNCERTAIN; :data:`ABSTAIN` unless told."""
    all_faces: bool
    """Score all faces, not only the largest."""
    augmentation: Augmentation | None
    """Other views of a face that are scored too."""
    box_convention: str
    """Of the boxes that the caller gives; "yunet" unless told."""
    cache: PredictionCache | None
    """Answers pictures that were seen before."""
    pool: WorkerPool | None
    """For batches; None: threads of the predictor's own, kept between calls."""
    profiler: Profiler | None


class EnsembleOptions(PredictorOptions, total=False):
    """What :class:`Ensemble` takes by name."""

    fusion: Fusion
    """How the scores of the models become one; the mean unless told."""
    weights: Sequence[float]
    """For Fusion.WEIGHTED: one a model, none negative, sum above 0."""
    disagreement: float
    """Difference of the models' P(live) from which they disagree; 0.6 unless told."""


class Predictor(_Scorer):
    """One PAD model, with or without a detector. Immutable; any number of threads may use it at once.

    Without a model it takes those that are compiled into the library (:meth:`Model.builtin`): "pad" and, where no
    detector is given, "detector".

    Options are those of :class:`PredictorOptions`: detector, detection, profile, threshold, calibration, limits, abstain,
    all_faces, augmentation, box_convention, cache, pool, profiler.
    """

    def __init__(self, model: Model | None = None, **options: Unpack[PredictorOptions]) -> None:
        if model is None:
            model = Model.builtin("pad")
            if options.get("detector") is None:
                options["detector"] = Model.builtin("detector")
        super().__init__(_core.Predictor(model._core, *_options(PredictorOptions, options)))


class Ensemble(_Scorer):
    """Several PAD models, one verdict: they share one detection and one pass over the pixels a face.

    Options are those of :class:`EnsembleOptions`: fusion, weights, disagreement, and all of :class:`Predictor`.
    """

    def __init__(self, models: Sequence[Model], **options: Unpack[EnsembleOptions]) -> None:
        super().__init__(_core.Ensemble([m._core for m in models], *_options(EnsembleOptions, options)))


def _face(face: Face | Sequence[float] | None) -> Any:
    if face is None:
        return None
    if isinstance(face, Face):
        return face.box, face.landmarks, face.score
    return Box(*face), None, 1.0


def _detection(options: DetectorOptions | None) -> tuple[float | None, float | None, int, float]:
    o = options or DetectorOptions()
    return o.score_threshold, o.nms_iou, o.max_faces, o.min_face


def _options(known: Any, given: Any) -> tuple[dict[str, Any], _core.Profiler | None]:
    """All options as the compiled module takes them, and the profiler."""
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(f"{name!r} is no option; there are {', '.join(known.__annotations__)}")
    o: EnsembleOptions = given
    bounds = o.get("limits") or QualityLimits()
    views = o.get("augmentation") or Augmentation()

    def core(name: Literal["detector", "calibration", "cache", "pool", "profiler"]) -> Any:
        value = o.get(name)
        return None if value is None else value._core

    options = {
        "detector": core("detector"),
        "detection": _detection(o.get("detection")),
        "profile": o.get("profile", "balanced"),
        "threshold": o.get("threshold"),
        "calibration": core("calibration"),
        "limits": tuple(getattr(bounds, name) for name in QualityLimits.__slots__),
        "abstain": int(o.get("abstain", ABSTAIN)),
        "all_faces": o.get("all_faces", False),
        "augmentation": (views.crops, views.flip, views.brightness, views.settled),
        "box_convention": o.get("box_convention", "yunet"),
        "cache": core("cache"),
        "pool": core("pool"),
        "fusion": int(o.get("fusion", Fusion.MEAN)),
        "weights": list(o.get("weights", ())),
        "disagreement": o.get("disagreement", 0.6),
    }
    return options, core("profiler")
