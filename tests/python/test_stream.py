"""Streams: tracker and verifier on frames that the miniature networks understand."""

import threading
from collections.abc import Callable, Iterator

import liveness
import numpy as np
import pytest
from conftest import scene

LIMITS = liveness.QualityLimits(0, 0, 0, 1, 1, 180, 180)
TRACKING = liveness.TrackerOptions(method="none", birth=1)


def living(frame: np.ndarray) -> Iterator[np.ndarray]:
    """The frame again and again with a little noise: a camera's pictures are never equal."""
    noise = np.random.default_rng(1)
    while True:
        yield frame ^ noise.integers(0, 2, frame.shape, dtype=np.uint8)


def verifier(tiny: Callable[[str], liveness.Model], **options: object) -> liveness.Verifier:
    values: dict[str, object] = {"pace": liveness.Pace(score_every=1), **options}
    return liveness.Verifier(
        tiny("pad"),
        tiny("detector"),
        liveness.VerifierOptions(**values),  # type: ignore[arg-type]
        tracking=TRACKING,
        scoring={"limits": LIMITS},
    )


def test_tracker(tiny: Callable[[str], liveness.Model]) -> None:
    tracker = liveness.FaceTracker(tiny("detector"), TRACKING)
    frames = living(scene((1, 1, 190)))
    for i in range(3):
        seen = tracker.update(next(frames), i / 30, color="bgr")
        assert [t.id for t in seen.tracks] == [1]
        track = seen.tracks[0]
        assert track.scorable and track.unconfirmed == 0 and track.age == i
        assert track.face.box.width == pytest.approx(80, abs=8)
        assert seen.searched and not seen.ended and not seen.cut
    with pytest.raises(liveness.InvalidArgumentError, match="backwards"):
        tracker.update(next(frames), 0, color="bgr")
    assert tracker.update(next(frames), 9, color="bgr").gap
    tracker.reset()
    assert tracker.update(next(frames), 10, color="bgr").tracks[0].id > 1
    with pytest.raises(liveness.InvalidArgumentError, match="100 x 100"):  # no multiple of the detector's stride
        liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(window=100))
    liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(window=64, window_scale=1.5)).close()
    for name in ("window", "window_scale"):
        with pytest.raises(liveness.InvalidArgumentError, match=f"{name} is -1"):
            liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(**{name: -1}))  # type: ignore[arg-type]
    with pytest.raises(liveness.InvalidArgumentError, match="birth"):
        liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(birth=0))
    with pytest.raises(liveness.UnsupportedError, match="csrt"):
        liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(method="csrt"))  # type: ignore[arg-type]
    with pytest.raises(liveness.InvalidArgumentError, match="method"):
        liveness.FaceTracker(tiny("detector"), liveness.TrackerOptions(method="magic"))  # type: ignore[arg-type]
    tracker.close()
    with pytest.raises(liveness.InvalidStateError, match="closed"):
        tracker.update(next(frames), 11, color="bgr")


@pytest.mark.parametrize(("green", "verdict"), [(190, liveness.Verdict.LIVE), (40, liveness.Verdict.SPOOF)])
def test_decision(tiny: Callable[[str], liveness.Model], green: int, verdict: liveness.Verdict) -> None:
    frames = living(scene((1, 1, green)))
    with verifier(tiny) as stream:
        events = []
        for i in range(60):
            update = stream.push(next(frames), i / 30, color="bgr")
            events += update.events
            assert update.frame == i and len(update.tracks) == 1
        track = update.tracks[0]
        assert update.verdict is verdict and track.verdict is verdict
        assert track.state is liveness.TrackState.DECIDED and track.confidence == 1
        assert track.reasons == liveness.Reason(0) and track.scores == 60
        assert [e.kind for e in events] == ["new_track", "decided"]
        assert events[1].verdict is verdict and events[1].track == track.id
        assert (track.decided >= 0.5) == (verdict is liveness.Verdict.LIVE)
        assert stream.push(scene(), 2.1, color="bgr").tracks[0].found is False


def test_events_and_errors(tiny: Callable[[str], liveness.Model]) -> None:
    stream = verifier(tiny)
    frames = living(scene((1, 1, 190)))
    stream.push(next(frames), 1, color="bgr")
    with pytest.raises(liveness.InvalidArgumentError, match="backwards"):
        stream.push(next(frames), 0, color="bgr")
    gap = stream.push(next(frames), 100, color="bgr")
    assert [e.kind for e in gap.events] == ["gap", "lost", "new_track"]
    assert gap.events[0].text
    still = next(frames)
    stream.push(still, 100.1, color="bgr")
    frozen = stream.push(still, 100.2, color="bgr")
    assert [e.kind for e in frozen.events] == ["frozen"]
    assert liveness.Reason.FROZEN in frozen.tracks[0].reasons
    assert liveness.Reason.FROZEN.sentences
    stream.pace = liveness.Pace(skip=1)
    assert stream.pace.skip == 1
    assert stream.push(next(frames), 100.3, color="bgr").skipped
    with pytest.raises(liveness.InvalidArgumentError, match="score_every"):
        stream.pace = liveness.Pace(score_every=0)
    stream.reset()
    assert stream.threshold_log == []
    with pytest.raises(liveness.InvalidArgumentError, match="targets.apcer"):
        verifier(tiny, targets=(0.7, 0.1))
    with pytest.raises(TypeError, match="no option"):
        liveness.Verifier(tiny("pad"), tiny("detector"), scoring={"colour": 1})  # type: ignore[typeddict-unknown-key]


def test_asynchronous(tiny: Callable[[str], liveness.Model]) -> None:
    stream = verifier(tiny)
    frames = living(scene((1, 1, 190)))
    with pytest.raises(liveness.InvalidStateError, match="off"):
        stream.submit(next(frames), 0, color="bgr")
    updates: list[liveness.StreamUpdate] = []
    complained = threading.Event()

    def callback(update: liveness.StreamUpdate) -> None:
        updates.append(update)
        if any("from a test" in e.text for e in update.events):
            complained.set()
        if len(updates) == 1:
            raise ValueError("from a test")

    stream.start(callback)
    with pytest.raises(liveness.InvalidStateError, match="asynchronous"):
        stream.push(next(frames), 0, color="bgr")
    sent = 0
    while not complained.is_set() and sent < 100000:
        stream.submit(next(frames), sent / 30, color="bgr")
        sent += 1
    stream.stop()
    assert complained.is_set()
    assert sent - 2 <= len(updates) + stream.dropped <= sent
    assert stream.push(next(frames), sent, color="bgr").verdict is not liveness.Verdict.NO_FACE
    stream.start(callback)
    stream.close()
    stream.close()
    assert stream.closed


def test_tracks_pass_no_verdict(tiny: Callable[[str], liveness.Model]) -> None:
    """Two faces change places in the list when a third comes: verdicts stay with ids."""
    stream = verifier(tiny, all_faces=True)
    two, three = living(scene((0, 0, 190), (2, 0, 40))), living(scene((0, 0, 190), (2, 0, 40), (1, 2, 190)))
    for i in range(60):
        update = stream.push(next(two if i < 40 else three), i / 30, color="bgr")
        for t in update.tracks:
            attack = t.face.box.x > 140 and t.face.box.y < 60
            assert t.verdict is not (liveness.Verdict.LIVE if attack else liveness.Verdict.SPOOF)
    assert {t.verdict for t in update.tracks if t.id < 3} == {liveness.Verdict.LIVE, liveness.Verdict.SPOOF}


def test_adaptive_and_cue_options(tiny: Callable[[str], liveness.Model]) -> None:
    for name, value, said in [("cues_frames", 7, "cues.frames"), ("adaptive_max_speed", 0.0, "max_speed"),
                              ("adaptive_memory", 1, "adaptive.memory"), ("cues_flat", 2.0, "cues.flat")]:
        with pytest.raises(liveness.InvalidArgumentError, match=said):
            verifier(tiny, **{name: value})
    # A face darker than the reference raises the threshold at the speed that was asked for.
    with verifier(tiny, adaptive=True, adaptive_luminance=255.0, adaptive_per_step=1.0, adaptive_max_speed=2.0) as v:
        frames = living(scene((1, 1, 150)))
        for i in range(30):
            v.push(next(frames), i / 30, color="bgr")
        assert {c.cause for c in v.threshold_log} == {"dark"}
        assert v.threshold_log[-1].now > v.threshold_log[0].previous
