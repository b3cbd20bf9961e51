"""Arrays are read in place, and what does not fit is refused by a ValueError that names what arrived."""

import mmap
import resource

import liveness
import numpy as np
import pytest
from conftest import CELL, SIDE, TINY, scene

BOX = (CELL, CELL, CELL, CELL)
LIVE = scene((1, 1, 190))


def test_no_copy_of_a_huge_frame(tiny):
    # 1.2 GB that nobody has written: pages that are read cost nothing, a copy would cost all of it.
    side = 20_000
    memory = mmap.mmap(-1, side * side * 3, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
    frame = np.frombuffer(memory, np.uint8).reshape(side, side, 3)
    frame[5000 : 5000 + CELL, 5000 : 5000 + CELL] = LIVE[CELL : 2 * CELL, CELL : 2 * CELL]
    predictor = liveness.Predictor(tiny("pad"))
    predictor.predict(LIVE, color="bgr", face=BOX)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = predictor.predict(frame, color="bgr", face=(5000, 5000, CELL, CELL))
    items = predictor.predict_batch([frame] * 3, color="bgr", boxes=[(5000, 5000, CELL, CELL)] * 3, threads=2)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.verdict == liveness.Verdict.LIVE
    assert [item.get().score for item in items] == [result.score] * 3
    assert grown < 50_000, f"peak memory grew by {grown} KiB"


def test_views_along_rows_are_read_in_place(predictor):
    expected = predictor.predict(LIVE, color="bgr")
    wide = np.full((SIDE * 2, SIDE + 100, 3), 77, np.uint8)
    window = wide[40 : 40 + SIDE, 50 : 50 + SIDE]
    window[:] = LIVE
    every_other_row = np.zeros((SIDE * 2, SIDE, 3), np.uint8)
    every_other_row[::2] = LIVE
    read_only = LIVE.copy()
    read_only.flags.writeable = False
    for view in (window, every_other_row[::2], read_only, memoryview(LIVE)):
        assert predictor.predict(view, color="bgr").score == expected.score


@pytest.mark.parametrize(
    ("make", "color"),
    [
        (lambda f: f[..., ::-1].copy(), "rgb"),
        (lambda f: np.dstack([f, f[..., 0]]), "bgra"),
        (lambda f: np.dstack([f[..., ::-1], f[..., 0]]), "rgba"),
    ],
)
def test_color_orders_agree(predictor, make, color):
    expected = predictor.predict(LIVE, color="bgr")
    result = predictor.predict(make(LIVE), color=color)
    assert result.verdict == expected.verdict
    assert result.score == pytest.approx(expected.score, abs=1e-5)


def test_color_order_matters(predictor):
    assert predictor.predict(LIVE, color="rgb").verdict == liveness.Verdict.NO_FACE  # red is blue now


def test_one_plane(tiny):
    predictor = liveness.Predictor(tiny("pad"))
    gray = np.full((SIDE, SIDE), 190, np.uint8)
    assert predictor.predict(gray, color="gray", face=BOX).faces[0].quality.luminance == pytest.approx(190, abs=1)
    nv12 = np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)
    nv12[:SIDE] = 180
    region = liveness.RoiProcessor([tiny("pad")]).extract(nv12, BOX, color="nv12")[0].region
    assert region == pytest.approx(BOX, abs=1)


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (LIVE.astype(np.float32), "float32"),
        (LIVE.astype(np.int8), "int8"),
        (LIVE.astype(np.uint16), "uint16"),
        (LIVE.astype(bool), "bool"),
        (LIVE[..., 0], r"\(320, 320\)"),
        (LIVE[np.newaxis], r"\(1, 320, 320, 3\)"),
        (LIVE[..., :2].copy(), r"\(320, 320, 2\)"),
        (np.dstack([LIVE, LIVE]), r"\(320, 320, 6\)"),
        (LIVE.transpose(2, 0, 1).copy(), r"\(3, 320, 320\)"),
        (np.zeros((0, 320, 3), np.uint8), r"\(0, 320, 3\)"),
        (np.zeros((320, 0, 3), np.uint8), r"\(320, 0, 3\)"),
        (LIVE[::-1], r"strides \(-960, 3, 1\)"),
        (LIVE[:, ::-1], r"strides \(960, -3, 1\)"),
        (LIVE[..., ::-1], r"strides \(960, 3, -1\)"),
        (LIVE[:, ::2], r"strides \(960, 6, 1\)"),
        (LIVE.transpose(1, 0, 2), r"strides \(3, 960, 1\)"),
        (np.dstack([LIVE, LIVE])[..., :3], r"strides \(1920, 6, 1\)"),
        (np.broadcast_to(LIVE[:1], LIVE.shape), r"strides \(0, 3, 1\)"),
    ],
)
def test_what_does_not_fit_is_named(predictor, array, names):
    with pytest.raises(ValueError, match=names) as caught:
        predictor.predict(array, color="bgr")
    assert isinstance(caught.value, liveness.InvalidArgumentError)
    assert "image" in str(caught.value)


def test_no_array_at_all(predictor):
    for thing in ([[1, 2], [3, 4]], None, "text", 5):
        with pytest.raises(TypeError, match=type(thing).__name__):
            predictor.predict(thing, color="bgr")


def test_color_is_explicit(predictor):
    with pytest.raises(TypeError, match="color"):
        predictor.predict(LIVE)
    with pytest.raises(ValueError, match='"hsv"'):
        predictor.predict(LIVE, color="hsv")


def test_a_bad_array_costs_its_own_item(predictor):
    items = predictor.predict_batch([LIVE, LIVE[::-1], LIVE], color="bgr", threads=2)
    assert items[0].get().score == items[2].get().score
    assert items[1].result is None
    with pytest.raises(ValueError, match=r"images\[1\].*strides"):
        items[1].get()


def test_raw_frame_file_is_the_scene():
    assert np.array_equal(np.fromfile(TINY / "live.bgr", np.uint8).reshape(SIDE, SIDE, 3), LIVE)
