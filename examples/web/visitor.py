"""One visitor: what may come in, the newest frame that waits, and what is told about it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic
from typing import Any

import liveness
import numpy as np
import numpy.typing as npt
from liveness import Reason, TrackState, Verdict
from PIL import Image

Message = dict[str, Any]
Pixels = npt.NDArray[np.uint8]
Scorer = Callable[[Pixels, float], Message]
"""Pixels (height, width, RGB) and their time in seconds; one thread at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a visitor may cost."""

    visitors: int = 32
    """At once."""
    fps: float = 15.0
    """Frames a second; more are dropped, many more end the connection."""
    message_bytes: int = 512 * 1024
    side: int = 1280
    """Pixels, the longer side of a picture."""
    idle_seconds: float = 30.0
    """Without a frame, or with an answer that the visitor does not take."""


class Refused(Exception):
    """Ends a connection: `code` for the page, the message for people, `close` as RFC 6455 (7.4) has it."""

    def __init__(self, code: str, message: str, close: int) -> None:
        super().__init__(message)
        self.code, self.close = code, close

    @property
    def message(self) -> Message:
        return {"type": "error", "code": self.code, "message": str(self)}


class Bucket:
    """Token bucket: `rate` a second, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self._tokens = rate, burst, burst
        self._seen: float | None = None

    def take(self, now: float) -> bool:
        """False where there is none left. `now` in seconds, never backwards."""
        since = 0.0 if self._seen is None else now - self._seen
        self._seen = now
        self._tokens = min(self._burst, self._tokens + since * self._rate)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def decode(data: bytes, limits: Limits) -> Pixels:
    """A baseline JPEG as RGB. The header is read and held against the limits before any pixel is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            width, height = picture.size
            if max(width, height) > limits.side:
                raise Refused(
                    "picture_too_large", f"A picture has {width} x {height} pixels; at most {limits.side} a side.", 1009
                )
            # Hundreds of scans of a progressive JPEG fit into few bytes, and each costs a pass over the whole picture.
            if "progressive" in picture.info:
                raise Refused("not_baseline", "A frame is a progressive JPEG: send baseline JPEG.", 1003)
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise Refused("not_jpeg", "A frame is no whole JPEG picture.", 1003) from e


class Visitor:
    """Holds one frame at most: a newer one takes the place of one that still waits, so a slow server never queues."""

    def __init__(self, score: Scorer, limits: Limits, pool: Executor) -> None:
        self._score, self._limits, self._pool = score, limits, pool
        self._rate = Bucket(limits.fps, limits.fps)
        self._patience = Bucket(limits.fps, 5 * limits.fps)
        self._waiting: tuple[bytes, float] | None = None
        self._wake = asyncio.Event()
        self.scored = 0
        self.replaced = 0
        """Dropped because a newer frame came before their turn."""
        self.too_fast = 0
        """Dropped because more came than the rate allows."""

    def offer(self, data: bytes) -> None:
        """A message has come in; Refused where it ends the connection."""
        # The time of a frame is when it arrived by this machine's monotonic clock. A time that the visitor sends could
        # be forged: stretched, it would make one lucky second count as the seconds of evidence that LIVE takes.
        now = monotonic()
        if len(data) > self._limits.message_bytes:
            raise Refused(
                "message_too_large", f"A frame has {len(data)} bytes; at most {self._limits.message_bytes}.", 1009
            )
        if self._rate.take(now):
            self.replaced += self._waiting is not None
            self._waiting = data, now
        elif self._patience.take(now):
            self.too_fast += 1
        else:
            raise Refused("too_fast", f"Frames keep coming faster than {self._limits.fps:g} a second.", 1008)
        self._wake.set()

    async def answer(self) -> Message:
        """Waits for the next frame and says what came of it."""
        await self._wake.wait()
        self._wake.clear()
        work, self._waiting = self._waiting, None
        if work is None:
            return {"type": "dropped", "dropped": self._dropped()}
        # Where the visitor leaves meanwhile the thread finishes this frame, and the last reference frees the stream.
        message = await asyncio.get_running_loop().run_in_executor(self._pool, self._look, *work)
        self.scored += 1
        return {"type": "result", **message, "dropped": self._dropped()}

    def _look(self, data: bytes, arrived: float) -> Message:
        begin = monotonic()
        pixels = decode(data, self._limits)
        decoded = monotonic()
        message = self._score(pixels, arrived)
        times = {"wait": begin - arrived, "decode": decoded - begin, "score": monotonic() - decoded}
        height, width = pixels.shape[:2]
        return {
            **message,
            "picture": {"width": width, "height": height},
            "ms": {name: round(1000 * seconds, 2) for name, seconds in times.items()},
        }

    def _dropped(self) -> dict[str, int]:
        return {"replaced": self.replaced, "too_fast": self.too_fast}


def stream_scorer(verifier: liveness.Verifier) -> Scorer:
    """Frames of one camera: the verdict rests on several of them."""

    def score(pixels: Pixels, seconds: float) -> Message:
        update = verifier.push(pixels, seconds, color="rgb")
        main = update.tracks[0] if update.tracks else None
        return {
            **_said(
                update.verdict,
                main.reasons if main else Reason(0),
                main is not None and main.state == TrackState.DECIDED,
                [(t.id, t.face) for t in update.tracks],
            ),
            "score": main.score if main and main.scores else None,
            "threshold": main.threshold if main else None,
            "confidence": main.confidence if main else 0.0,
            "events": [{"kind": e.kind, "text": e.text} for e in update.events],
        }

    return score


def picture_scorer(ensemble: liveness.Ensemble) -> Scorer:
    """Pictures that have nothing to do with each other: each is judged alone."""

    def score(pixels: Pixels, seconds: float) -> Message:
        result = ensemble.predict(pixels, color="rgb")
        return {
            **_said(result.verdict, result.reasons, True, [(0, f.face) for f in result.faces]),
            "score": result.score if result.faces else None,
            "threshold": result.threshold if result.faces else None,
            "confidence": 1.0,
            "events": [],
        }

    return score


HINTS = {
    Reason.SEVERAL_FACES: "One person at a time",
    Reason.TOO_SMALL: "Move closer",
    Reason.AT_BORDER: "Move to the middle",
    Reason.DARK: "Too dark: turn on a light or face the window",
    Reason.SATURATED: "Too bright: move out of the direct light",
    Reason.TURNED_AWAY: "Turn to the camera",
    Reason.BLURRED: "Hold still",
    Reason.FROZEN: "The picture does not move: check the camera",
    Reason.FLAT_MOTION: "Turn your head slowly",
    Reason.FLICKER: "Use a steady light",
    Reason.MODELS_DISAGREE: "Hold still and look into the camera",
    Reason.UNSTABLE_CROP: "Hold still and look into the camera",
}
"""What to do about a reason in a few words; the first that holds is shown."""


def _said(
    verdict: Verdict, reasons: Reason, decided: bool, faces: Sequence[tuple[int, liveness.Face]]
) -> Message:
    hint = next((text for reason, text in HINTS.items() if reason in reasons), "")
    if verdict == Verdict.NO_FACE:
        hint = "Look into the camera"
    elif not hint and not decided:
        hint = "One moment"
    return {
        "verdict": str(verdict),
        "decided": decided and verdict != Verdict.NO_FACE,
        "reasons": [
            {"name": name, "text": text} for name, text in zip(reasons.names, reasons.sentences, strict=True)
        ],
        "hint": hint,
        "faces": [{"id": id, "box": [round(v, 1) for v in face.box]} for id, face in faces],
    }
