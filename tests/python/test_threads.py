"""Other threads run while the library works, and all get equal results."""

import sys
import threading
import time

import liveness
from conftest import scene


def test_the_gil_is_released(predictor):
    frame = scene((1, 1, 190))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is made to give up the GIL: a thread that loops must do so of its own accord
    try:
        stop = threading.Event()
        rounds = 0

        def work() -> None:
            nonlocal rounds
            until = time.monotonic() + 30
            while not stop.is_set() and time.monotonic() < until:
                predictor.predict(frame, color="bgr")
                rounds += 1

        thread = threading.Thread(target=work)
        start = time.monotonic()
        thread.start()
        stop.set()  # comes to this only when the other thread lets go
        thread.join()
        assert time.monotonic() - start < 20, f"the other thread held the GIL for {rounds} rounds"
    finally:
        sys.setswitchinterval(interval)


def test_results_equal_those_of_one_thread(tiny):
    profiler = liveness.Profiler()
    predictor = liveness.Ensemble([tiny("pad"), tiny("strict")], detector=tiny("detector"), profiler=profiler)
    frames = [scene((1, 1, 40 + 40 * i)) for i in range(5)]
    expected = [predictor.predict(f, color="bgr") for f in frames]
    wrong: list[int] = []

    def work(k: int) -> None:
        for i in range(100):
            n = (i + k) % len(frames)
            result = predictor.predict(frames[n], color="bgr")
            if (result.verdict, result.score, result.faces) != (
                expected[n].verdict,
                expected[n].score,
                expected[n].faces,
            ):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
    assert profiler.get("frames") == 805
