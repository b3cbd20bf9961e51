"""Plain values: what goes in as options and what comes out as results. All are immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Literal, NamedTuple

from liveness._errors import LivenessError, Status, error_of

Color = Literal["bgr", "rgb", "bgra", "rgba", "gray", "nv12", "nv21"]
"""Layout of a picture: (height, width, 3), (height, width, 4), or (height, width) for gray; NV12 and NV21 are
(height * 3 / 2, width) with the chroma rows below the luma rows."""

Isa = Literal["auto", "portable", "avx2", "avx512", "amx"]
"""Instruction set of the engine."""

Precision = Literal["auto", "fp32", "bf16", "int8", "fp16"]
"""What the dense convolutions are computed in."""

Backend = Literal["auto", "native", "torch"]
"""Who runs the network."""


class Verdict(IntEnum):
    """Zero is never live."""

    UNCERTAIN = 0
    """Scored, but the evidence does not carry a decision: the reasons say why."""
    LIVE = 1
    """Bona fide presentation."""
    SPOOF = 2
    """Presentation attack."""
    NO_FACE = 3
    """No face was found, nothing was scored."""

    def __str__(self) -> str:
        return self.name


class Reason(IntFlag):
    """What speaks against trusting a score. A set: iterate over it for the single reasons."""

    TOO_SMALL = 1
    BLURRED = 2
    DARK = 4
    SATURATED = 8
    AT_BORDER = 16
    TURNED_AWAY = 32
    MODELS_DISAGREE = 64
    SEVERAL_FACES = 128
    UNSTABLE_CROP = 256
    FLAT_MOTION = 512
    FROZEN = 1024
    FLICKER = 2048

    @property
    def each(self) -> tuple[Reason, ...]:
        """The single reasons in this set."""
        return tuple(reason for reason in _SENTENCES if reason in self)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each reason as a sentence for the person in front of the camera."""
        return tuple(_SENTENCES[reason] for reason in self.each)

    @property
    def names(self) -> tuple[str, ...]:
        """Machine-readable names, e.g. "too_small"."""
        return tuple(str(reason.name).lower() for reason in self.each)


_SENTENCES: Mapping[Reason, str] = {
    Reason.TOO_SMALL: "The face is too small: move closer to the camera.",
    Reason.BLURRED: "The face is blurred: hold still, or clean and focus the camera.",
    Reason.DARK: "The face is too dark: turn on a light or face the window.",
    Reason.SATURATED: "The face is overexposed: move out of the direct light.",
    Reason.AT_BORDER: "The face is at the edge of the picture: move to the middle.",
    Reason.TURNED_AWAY: "The face is turned away: look straight at the camera.",
    Reason.MODELS_DISAGREE: "The models disagree about this face: another picture is needed.",
    Reason.SEVERAL_FACES: "There are several faces in the picture: only one person should be in view.",
    Reason.UNSTABLE_CROP: "The score changes with small movements of the face box: another picture is needed.",
    Reason.FLAT_MOTION: "The face moves like a flat picture: show your own face, and turn your head.",
    Reason.FROZEN: "The picture does not change: check the camera, and show a living face.",
    Reason.FLICKER: "The face flickers like a screen: show your own face, under a steady light.",
}

ABSTAIN = (
    Reason.TOO_SMALL
    | Reason.BLURRED
    | Reason.DARK
    | Reason.SATURATED
    | Reason.TURNED_AWAY
    | Reason.MODELS_DISAGREE
    | Reason.UNSTABLE_CROP
)
"""The reasons that turn LIVE or SPOOF into UNCERTAIN unless told otherwise."""


class Fusion(IntEnum):
    """How the scores of several models become one."""

    MEAN = 0
    WEIGHTED = 1
    LOG_ODDS_MEAN = 2
    MAJORITY = 3
    MINIMUM = 4


class Point(NamedTuple):
    """Pixels: x to the right, y down."""

    x: float
    y: float


class Box(NamedTuple):
    """Pixels: [x, x + width) by [y, y + height). May lie partly outside the frame."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a frame."""

    box: Box
    landmarks: tuple[Point, Point, Point, Point, Point] | None = None
    """Right eye, left eye, nose tip, right and left corner of the mouth (the person's right and left)."""
    score: float = 1.0
    """The detector's confidence, 0 to 1."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """What a detector keeps."""

    score_threshold: float | None = None
    """0 to 1; None: the package's own."""
    nms_iou: float | None = None
    """0 to 1; None: the package's own."""
    max_faces: int = 16
    """At least 1: the best by score are kept."""
    min_face: float = 0.0
    """Pixels of the frame, shorter side: smaller faces are dropped."""


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Bounds beyond which a quality value becomes a reason."""

    min_face_pixels: float = 48.0
    min_sharpness: float = 15.0
    min_luminance: float = 40.0
    max_overexposed: float = 0.25
    max_outside: float = 0.35
    max_yaw: float = 40.0
    max_pitch: float = 35.0


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured on the face box of one frame."""

    face_pixels: float
    """Shorter side of the face box, pixels."""
    sharpness: float
    """Variance of the Laplacian of the face scaled to 64 x 64 grey levels."""
    luminance: float
    """Mean grey level of the face, 0 to 255."""
    overexposed: float
    """Share of pixels at 250 and above, 0 to 1."""
    underexposed: float
    """Share of pixels at 5 and below, 0 to 1."""
    outside: float
    """Largest share of a model's crop outside the frame, 0 to 1."""
    yaw: float
    """Degrees, positive to the person's left; 0 without landmarks."""
    pitch: float
    """Degrees, positive up."""
    roll: float
    """Degrees in the image plane, positive clockwise as seen in the picture."""


@dataclass(frozen=True, slots=True)
class MemberScore:
    """What one model said of one face."""

    model: str
    score: float
    logit: float


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Other views of a face that are scored too. The log-odds of each model are averaged over the views; where one view
    is LIVE and another not, the face has Reason.UNSTABLE_CROP. A view costs a pass a model."""

    crops: int = 0
    """0 to 26 boxes scaled by up to +-10 % and shifted by up to +-5 %."""
    flip: bool = False
    """Mirrored left to right."""
    brightness: float = 0.0
    """0 to 0.9: two views whose grey levels are multiplied by 1 - this and 1 + this; 0: none."""
    settled: float = 3.0
    """From the third view on, no more are scored when the mean of the log-odds is more than so many standard errors away
    from both bounds, or a reason makes the face UNCERTAIN anyway. 0: all views are scored."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A score and what follows from it."""

    verdict: Verdict
    score: float
    """P(live), 0 to 1, fused over the models; 0 where there is no face."""
    logit: float
    """Log-odds of the score, within +-30."""
    threshold: float
    """The score that LIVE takes."""
    reasons: Reason


@dataclass(frozen=True, slots=True)
class FaceResult(Decided):
    """What is known of one face."""

    face: Face
    members: tuple[MemberScore, ...]
    """One a model; empty where the face could not be scored."""
    quality: Quality
    views: int
    """Pictures of the face that were scored: 1, and those of the augmentation."""
    spread: float
    """Standard deviation of the views' log-odds; 0 for one view."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of wall time of one call."""

    detect: float
    roi: float
    infer: float
    total: float


@dataclass(frozen=True, slots=True)
class Result(Decided):
    """The verdict on one picture: that of the deciding face, the largest one."""

    faces: tuple[FaceResult, ...]
    """The scored faces, the deciding one first."""
    model: str
    """The models' names, joined by '+'."""
    time: Times
    from_cache: bool
    """Scored before; `time` is then that of looking it up."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One picture's outcome in a batch: a result, or why there is none."""

    result: Result | None
    error: LivenessError | None

    def get(self) -> Result:
        """The result; raises the error where there is none."""
        if self.result is None:
            raise self.error if self.error is not None else error_of(Status.INTERNAL, "neither a result nor an error")
        return self.result


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A graph input or output; the shape has no batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One node of the graph."""

    name: str
    type: str
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Figures about a model."""

    input_shape: tuple[int, int, int]
    """Channels, height, width."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    nodes: tuple[NodeInfo, ...]
    macs: int
    """Multiply-accumulates of one pass."""
    parameters: int
    weight_bytes: int
    """Packed weights in memory."""
    workspace_bytes: int
    """Scratch of one running pass."""
    isa: str
    """What the engine's plan was made for."""
    identity: str
    """Hash of graph, weights and contract."""
    backend: str
    """Who runs it."""
    precision: str
    """What it runs in."""
    device: str
    """ "cpu", "cuda:0", ..."""
    fallback: str
    """Why something else than what was asked for was chosen; empty where nothing was."""


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """One backend, as it is found on this machine now."""

    backend: str
    available: bool
    version: str
    """Of the library behind it: LibTorch's; of the native engine, this library's."""
    file: str
    """The plugin; empty for the native engine."""
    devices: tuple[str, ...]
    """What a model's `device` may name."""
    blas: str
    """File of the BLAS that LibTorch's fp32 matrix products are bound to."""
    graphs: bool
    """Passes on an accelerator are recorded once and replayed."""
    missing: str
    """Why it is not available, and how to get it; empty where it is."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of one planned step of the engine."""

    name: str
    macs: int
    microseconds: float


_Decided = tuple[Verdict, float, float, float, Reason]


def face_from(raw: Any) -> Face:
    box, landmarks, score = raw
    points = None if landmarks is None else tuple(Point(*p) for p in landmarks)
    return Face(Box(*box), points, score)  # type: ignore[arg-type]  # five points, by the compiled module's type


def result_from(raw: Any) -> Result:
    verdict, score, logit, threshold, reasons, faces, model, time, from_cache = raw
    decided = _decided(verdict, score, logit, threshold, reasons)
    return Result(*decided, tuple(map(_face_result_from, faces)), model, Times(*time), from_cache)


def _face_result_from(raw: Any) -> FaceResult:
    face, verdict, score, logit, threshold, members, quality, reasons, views, spread = raw
    decided = _decided(verdict, score, logit, threshold, reasons)
    scores = tuple(MemberScore(*m) for m in members)
    return FaceResult(*decided, face_from(face), scores, Quality(*quality), views, spread)


def _decided(verdict: int, score: float, logit: float, threshold: float, reasons: int) -> _Decided:
    return Verdict(verdict), score, logit, threshold, Reason(reasons)

