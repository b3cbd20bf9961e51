"""Caches, pools and augmentation."""

import dataclasses
import threading

import liveness
import pytest
from conftest import CELL, scene
from liveness import Augmentation, PredictionCache, Reason, Verdict, WorkerPool

BOX = (CELL, CELL, CELL, CELL)


def test_cache(tiny):
    cache = PredictionCache(bytes=1 << 20)
    predictor = liveness.Predictor(tiny("pad"), detector=tiny("detector"), cache=cache)
    frame = scene((1, 1, 190))
    first, again = (predictor.predict(frame.copy(), color="bgr") for _ in range(2))
    assert (first.from_cache, again.from_cache) == (False, True)
    assert dataclasses.replace(again, time=first.time, from_cache=False) == first
    frame[-1, -1, -1] ^= 1
    assert not predictor.predict(frame, color="bgr").from_cache
    s = cache.statistics()
    assert (s.hits, s.misses, s.entries) == (1, 2, 2)
    assert s.bytes > 0
    cache.shrink()
    assert cache.statistics().entries == 0
    assert not predictor.predict(frame, color="bgr").from_cache


def test_cache_options():
    with pytest.raises(ValueError, match="bytes"):
        PredictionCache(bytes=0)
    with pytest.raises(ValueError, match="time_to_live"):
        PredictionCache(time_to_live=-1)
    PredictionCache(time_to_live=1e-9)


def test_pool(tiny):
    pool = WorkerPool(3)
    assert pool.threads == 3
    predictor = liveness.Predictor(tiny("pad"), pool=pool)
    frames = [scene((1, 1, 60 + 10 * i)) for i in range(12)]
    plain = liveness.Predictor(tiny("pad"))
    scores = [plain.predict(f, color="bgr", face=BOX).score for f in frames]
    for threads in (0, 1, 2, 5):
        items = predictor.predict_batch(frames, color="bgr", boxes=[BOX] * 12, threads=threads)
        assert [item.get().score for item in items] == scores
    with pytest.raises(ValueError, match="threads"):
        WorkerPool(0)


def test_cancel(tiny):
    pool = WorkerPool(2)
    predictor = liveness.Predictor(tiny("pad"), pool=pool)
    frames = [scene((1, 1, 190))] * 500
    over = threading.Event()

    def cancel():
        while not over.is_set():
            pool.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        items = predictor.predict_batch(frames, color="bgr", boxes=[BOX] * len(frames))
        # Once cancelled, a batch begins no other picture.
        while all(item.error is None for item in items):
            items = predictor.predict_batch(frames, color="bgr", boxes=[BOX] * len(frames))
    finally:
        over.set()
        canceller.join()
    assert all(isinstance(item.error, liveness.CancelledError) for item in items if item.result is None)
    items = predictor.predict_batch(frames[:4], color="bgr", boxes=[BOX] * 4)
    assert [item.get().verdict for item in items] == [Verdict.LIVE] * 4


def test_augmentation(tiny):
    frame = scene((1, 1, 150))
    plain = liveness.Predictor(tiny("pad")).predict(frame, color="bgr", face=BOX).faces[0]
    assert (plain.views, plain.spread) == (1, 0)
    views = Augmentation(crops=6, flip=True, brightness=0.2, settled=0)
    many = liveness.Predictor(tiny("pad"), augmentation=views).predict(frame, color="bgr", face=BOX).faces[0]
    assert many.views == 10
    assert many.spread > 0
    unstable = liveness.Predictor(tiny("pad"), augmentation=Augmentation(crops=26), threshold=plain.score)
    result = unstable.predict(frame, color="bgr", face=BOX)
    assert Reason.UNSTABLE_CROP in result.reasons
    assert result.verdict is Verdict.UNCERTAIN
    with pytest.raises(ValueError, match="brightness"):
        liveness.Predictor(tiny("pad"), augmentation=Augmentation(brightness=1))


def test_unknown_options(tiny):
    with pytest.raises(TypeError, match="'colour' is no option; there are detector"):
        liveness.Predictor(tiny("pad"), colour=1)
    with pytest.raises(TypeError, match="fusion"):
        liveness.Predictor(tiny("pad"), fusion=liveness.Fusion.MEAN)
    with pytest.raises(TypeError, match="'wieghts'"):
        liveness.Ensemble([tiny("pad")], wieghts=[1])
