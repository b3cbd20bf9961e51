"""A stream in, decisions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from liveness import _core
from liveness._handle import Handle
from liveness._model import Model
from liveness._predictor import EnsembleOptions, Image, _detection, _options
from liveness._types import Color, DetectorOptions, Face, Reason, Times, Verdict, face_from


class TrackState(IntEnum):
    """How far the decision on a track has come."""

    SEARCHING = 0
    """Nothing was scored yet."""
    COLLECTING = 1
    """Scores are collected."""
    DECIDED = 2
    """LIVE, SPOOF, or UNCERTAIN since the time ran out; later evidence may change it."""


EventKind = Literal[
    "new_track", "decided", "changed", "lost", "cut", "gap", "format", "frozen", "resumed", "error", "threshold"
]


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How faces are followed."""

    method: Literal["redetect", "none"] = "redetect"
    """redetect: the detector looks again in a small window; none: it searches every frame."""
    detect_every: int = 30
    """1 to 300: at most so many frames from one search of the whole frame to the next. Of a Verifier: see Pace."""
    window: int | None = None
    """8 to 1024: side of the window's picture, pixels; a multiple of the detector's strides. None: the detector's own
    (``detector.tracking`` of its contract), or 96."""
    window_scale: float | None = None
    """1.2 to 8: side of the window, times the longer side of the face. None: the detector's own, or 2."""
    quality_floor: float = 0.7
    """0 to 1: below, a box is doubtful and the whole frame is searched."""
    confirm_within: int = 3
    """0 to 30: frames since its last detection after which a box is never scored."""
    birth: int = 2
    """1 to 30: detections in a row that make a track."""
    death: int = 10
    """1 to 300: frames without the face that end it."""
    max_faces: int = 4
    """1 to 32: the largest are followed."""
    min_face: float = 0.0
    """Pixels, shorter side: smaller faces are not followed."""
    match_iou: float = 0.2
    """0 to 1: least overlap of a face with its predicted box."""
    same_face: float = 0.7
    """-1 to 1: least likeness of one face from frame to frame."""
    same_scene: float = 0.4
    """-1 to 1: likeness of two frames below which there was a cut."""
    max_gap: float = 1.0
    """Seconds without a frame after which every track ends."""
    noise_measurement: float = 0.015
    """Standard deviation of a measured coordinate, in face sizes: more smooths more."""
    noise_acceleration: float = 4.0
    """Standard deviation of the acceleration, in face sizes a second squared."""
    detection: DetectorOptions | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One face that a tracker follows."""

    id: int
    """Never used again: what is kept under it belongs to one appearance."""
    face: Face
    """Filtered."""
    quality: float
    """0 to 1; 0 where the face was not found in this frame."""
    age: int
    """Frames since it was first seen."""
    unconfirmed: int
    """Frames since the detector last found it; 0: in this frame."""
    scorable: bool
    """Just confirmed by the detector, not doubtful, not one of a crossing."""
    since: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one frame changed."""

    tracks: tuple[Track, ...]
    """The largest first."""
    ended: tuple[int, ...]
    """Ids of tracks that ended with this frame."""
    searched: bool
    """The whole frame was searched."""
    cut: bool
    gap: bool
    frozen: bool
    resized: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """What a verifier may do to save time."""

    detect_every: int = 30
    """1 to 300 frames, see TrackerOptions."""
    score_every: int = 3
    """1 to 300: a track is scored in every so many frames."""
    skip: int = 0
    """0 to 30: frames left out after each one that is looked at."""


@dataclass(frozen=True, slots=True)
class VerifierOptions:
    """How a stream is decided."""

    pace: Pace = Pace()
    targets: tuple[float, float] | None = None
    """Wanted APCER and BPCER of decisions, each in (0, 0.5); None: those of the profile."""
    gain: float = 1.0
    """Evidence of one unit of log-odds."""
    max_step: float = 4.0
    """Most evidence of one score."""
    correlation_seconds: float = 0.25
    """Time in which the correlation of two scores falls to 1/e."""
    shared: float = 0.1
    """0 to 1: part of the variance of the scores that a presentation does not change."""
    min_frames: int = 5
    """Scores that LIVE takes at least."""
    min_seconds: float = 0.5
    max_seconds: float = 8.0
    """Time with a face after which an open test is UNCERTAIN."""
    smoothing_window: int = 5
    """1 to 15 scores; 1: no smoothing."""
    smoothing_spike: float = 3.0
    """Log-odds above the median of the window from which a score is cut back."""
    smoothing_spread: float = 2.0
    """Standard deviation of the log-odds at which a score counts half."""
    adaptive: bool = False
    """The threshold may rise with cause; never in the profile "strict"."""
    adaptive_max_raise: float = 1.5
    """0 to 10 log-odds."""
    adaptive_per_step: float = 0.5
    """0 to 10: raise in log-odds for every halving of light, sharpness or size below its reference."""
    adaptive_luminance: float = 90.0
    """References: grey level of the face,"""
    adaptive_sharpness: float = 60.0
    """sharpness as in :class:`Quality`,"""
    adaptive_face_pixels: float = 96.0
    """shorter side of the face."""
    adaptive_deviations: float = 3.0
    """0 to 10: so many below the mean of the stream's bona fide scores."""
    adaptive_memory: int = 200
    """10 to 100000: scores that it learns from."""
    adaptive_max_speed: float = 0.5
    """Greater than 0: log-odds a second."""
    cues: bool = False
    """Motion that speaks against a face is a reason and denies LIVE."""
    cues_least_turn: float = 0.12
    """0.01 to 1: part by which the shape of eyes and mouth must change to be a turn."""
    cues_flat: float = 0.03
    """0 to 1: nose off the plane, in eye distances, up to which the motion is flat."""
    cues_still: float = 0.6
    """0 to 255: mean difference in grey levels up to which nothing lives in a face."""
    cues_least_move: float = 0.1
    """0 to 100: way, in face sizes, that a face must go before it can be frozen."""
    cues_flicker: float = 2.0
    """0 to 255: mean size of alternating swings, grey levels."""
    cues_frames: int = 24
    """8 to 64: over which swings and stillness are watched."""
    all_faces: bool = False
    """Score and decide all faces, not only the largest."""
    early_exit: bool = False
    """A decided track is scored again only every `rescore_every` frames, or where it changes."""
    rescore_every: int = 30
    changed_face: float = 0.75
    """-1 to 1: likeness to the face that was scored or decided on below which it is scored at once, and its verdict
    reopened."""
    queue: int = 2
    """1 to 64: frames that wait in asynchronous mode; the oldest is dropped for a newer one."""


@dataclass(frozen=True, slots=True)
class TrackResult:
    """What is known of one face of a stream."""

    id: int
    face: Face
    state: TrackState
    verdict: Verdict
    score: float
    """P(live) of the mean log-odds that the decision rests on; 0 where nothing was scored."""
    confidence: float
    """0 to 1: the way from no evidence to the bound of the decision."""
    evidence: float
    """Log-likelihood ratio of bona fide against attack."""
    threshold: float
    """The score that LIVE takes now."""
    reasons: Reason
    quality: float
    """Of the track in this frame, 0 to 1."""
    found: bool
    scored: bool
    """A network looked at it in this frame."""
    scores: int
    since: float
    """Seconds: when the track began."""
    decided: float
    """Seconds: when the verdict was reached; 0 where it was not."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a stream or to a track."""

    kind: EventKind
    track: int
    """0 where it concerns the stream."""
    seconds: float
    verdict: Verdict
    """Of the track, after the event."""
    previous: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class StreamUpdate:
    """The state of a stream after one frame."""

    frame: int
    seconds: float
    skipped: bool
    """The pace left this frame out: the tracks are those of the last one."""
    verdict: Verdict
    """Of the deciding track, the largest; NO_FACE where there is none."""
    tracks: tuple[TrackResult, ...]
    events: tuple[Event, ...]
    time: Times


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """The adaptive threshold moved."""

    seconds: float
    previous: float
    """The score that LIVE took before,"""
    now: float
    """and takes from here on."""
    cause: str


class FaceTracker(Handle[_core.FaceTracker]):
    """Finds faces in one stream, follows them and gives each an id. One thread at a time."""

    def __init__(self, detector: Model, options: TrackerOptions | None = None) -> None:
        super().__init__(_core.FaceTracker(detector._core, _tracking(options)))

    def update(self, image: Image, seconds: float, *, color: Color) -> Tracked:
        """The next frame and its time in seconds, not before the last one's. The array is read in place."""
        tracks, ended, *flags = self._core.update(image, color, seconds)
        return Tracked(tuple(Track(t[0], face_from(t[1]), *t[2:]) for t in tracks), tuple(ended), *flags)

    def reset(self) -> None:
        """Every track ends; ids go on counting."""
        self._core.reset()


class Verifier(Handle[_core.Verifier]):
    """One stream: tracker, models and decision. Models are shared: any number of verifiers may use one.

    :param scoring: options of :class:`Ensemble`; detector, detection and box_convention are the tracker's
    """

    def __init__(
        self,
        models: Model | Sequence[Model],
        detector: Model,
        options: VerifierOptions | None = None,
        *,
        tracking: TrackerOptions | None = None,
        scoring: EnsembleOptions | None = None,
    ) -> None:
        members = [models] if isinstance(models, Model) else list(models)
        score, profiler = _options(EnsembleOptions, scoring or {})
        o = options or VerifierOptions()
        values = {name: getattr(o, name) for name in VerifierOptions.__slots__}
        values["pace"] = _pace(o.pace)
        super().__init__(
            _core.Verifier([m._core for m in members], detector._core, values, score, _tracking(tracking), profiler)
        )

    def push(self, image: Image, seconds: float, *, color: Color) -> StreamUpdate:
        """The next frame and its time in seconds, not before the last one's; frames may be missing or late."""
        return _update(self._core.push(image, color, seconds))

    def start(self, callback: Callable[[StreamUpdate], None]) -> None:
        """Asynchronous mode: :meth:`submit` takes frames, a thread of the verifier calls `callback` with every update.

        What the callback raises is told as an "error" event of the next update.
        """
        self._core.start(lambda raw: callback(_update(raw)))

    def submit(self, image: Image, seconds: float, *, color: Color) -> None:
        """Copies the frame and returns at once; a full queue drops its oldest frame."""
        self._core.submit(image, color, seconds)

    def stop(self) -> None:
        """Drops what waits, waits for the frame in work, ends the asynchronous mode. Not from the callback."""
        self._core.stop()

    def close(self) -> None:
        """Stops, and gives the memory back."""
        if not self.closed:
            self._core.stop()
        super().close()

    @property
    def dropped(self) -> int:
        """Frames that the queue dropped since start()."""
        return self._core.dropped()

    @property
    def pace(self) -> Pace:
        """May be set while the stream runs; holds from the next frame on."""
        return Pace(*self._core.pace())

    @pace.setter
    def pace(self, pace: Pace) -> None:
        self._core.set_pace(_pace(pace))

    @property
    def threshold_log(self) -> list[ThresholdChange]:
        """How the adaptive threshold moved, oldest first."""
        return [ThresholdChange(*change) for change in self._core.threshold_log()]

    def reset(self) -> None:
        """Every track ends without an event, and the next frame may have any time; ids go on counting."""
        self._core.reset()


def _pace(pace: Pace) -> tuple[int, int, int]:
    return pace.detect_every, pace.score_every, pace.skip


def _tracking(options: TrackerOptions | None) -> dict[str, Any]:
    o = options or TrackerOptions()
    values = {name: getattr(o, name) for name in TrackerOptions.__slots__}
    values["detection"] = _detection(o.detection)
    return values


def _update(raw: tuple[Any, ...]) -> StreamUpdate:
    frame, seconds, skipped, verdict, tracks, events, times = raw
    return StreamUpdate(
        frame,
        seconds,
        skipped,
        Verdict(verdict),
        tuple(
            TrackResult(t[0], face_from(t[1]), TrackState(t[2]), Verdict(t[3]), t[4], t[5], t[6], t[7], Reason(t[8]), *t[9:])
            for t in tracks
        ),
        tuple(Event(e[0], e[1], e[2], Verdict(e[3]), Verdict(e[4]), e[5]) for e in events),
        Times(*times),
    )
