"""The monitor on this machine, and the governor in simulation."""

import liveness
import pytest
from liveness import Governor, ResourceMonitor, ResourceUsage


def test_monitor_sees_this_process():
    monitor = ResourceMonitor()
    sum(i * i for i in range(300_000))
    usage = monitor.sample()
    assert usage.seconds > 0
    assert usage.process_cpu > 0
    assert 0 <= usage.machine_cpu <= 1
    assert usage.resident_bytes > 1_000_000


def test_governor_holds_a_quarter_of_a_core():
    governor = Governor(cpu=0.25, fps=30, score_every=3, capture=(640, 480))
    time, spent = 0.0, 0.0
    for half_second in range(240):
        busy = 0.0
        for _ in range(15):
            time += 1 / 30
            busy += 0.02 if governor.admit(time) else 0
        spent += busy if half_second >= 120 else 0
        workload = governor.update(ResourceUsage(0.5, busy / 0.5, 0.5, 50_000_000), time)
    assert spent / 60 == pytest.approx(0.25, rel=0.1)
    assert workload.score_every == 3
    assert workload.capture_fps == 15
    assert "of 0.25 cores" in workload.why


def test_options_are_checked():
    with pytest.raises(liveness.InvalidArgumentError, match=r"governor\.cpu"):
        Governor(cpu=-1)
