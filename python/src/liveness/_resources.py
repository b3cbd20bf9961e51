"""What the process costs the machine, and holding it within a budget."""

from __future__ import annotations

from dataclasses import dataclass

from liveness import _core


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """One look at the machine. None: not known here."""

    seconds: float
    """The time that ``process_cpu`` and ``machine_cpu`` are means over."""
    process_cpu: float
    """Cores that this process kept busy: 0.25 is a quarter of one."""
    machine_cpu: float
    """Share of all cores that were busy, 0 to 1."""
    resident_bytes: int
    """Memory of this process."""
    gpu_use: float | None = None
    """Of the busiest device, 0 to 1."""
    gpu_bytes: int | None = None
    """Memory in use on all devices, by anybody."""
    temperature: float | None = None
    """Degrees Celsius, the hottest of processor and GPUs."""


class ResourceMonitor:
    """Reads what the process costs: /proc, thermal sensors, and NVML where it is installed. One thread at a time."""

    def __init__(self) -> None:
        self._core = _core.ResourceMonitor()

    def sample(self) -> ResourceUsage:
        """Means since the last call; leave at least a tenth of a second between two calls."""
        return ResourceUsage(*self._core.sample())


@dataclass(frozen=True, slots=True)
class Workload:
    """How much work a stream should do."""

    fps: float
    """Frames a second to work on (:meth:`Governor.admit` does it); 0: every frame."""
    detect_every: int
    """Look for new faces in every so-manieth frame worked on."""
    score_every: int
    """Score every so-manieth frame worked on."""
    scale: float
    """Of the frame's sides, before anything else is done with it."""
    capture_width: int
    """To ask the camera for; 0: as it is."""
    capture_height: int
    """To ask the camera for; 0: as it is."""
    capture_fps: float
    """To ask the camera for; 0: as it is."""
    level: int
    """0: as the options say; each next one is cheaper a frame."""
    changed: bool
    """Differs from the choice before in more than the rate of frames."""
    trim: bool
    """Memory is over its budget: caches should give back what they can."""
    why: str
    """For people."""


class Governor:
    """Holds a CPU and a memory budget by choosing how much work a stream does. Reads no clock: times are the caller's.

    :param cpu: budget in cores, 0.25 is a quarter of one; 0: none
    :param memory: budget of resident bytes; 0: none
    :param min_fps: frames a second below which each frame is made cheaper
    :param fps: that the source gives; 0: unknown
    :param detect_every: where there is plenty
    :param score_every: where there is plenty
    :param capture: size of the camera's picture; (0, 0): leave it as it is
    """

    def __init__(
        self,
        *,
        cpu: float = 0.0,
        memory: int = 0,
        min_fps: float = 8.0,
        fps: float = 0.0,
        detect_every: int = 1,
        score_every: int = 1,
        capture: tuple[int, int] = (0, 0),
    ) -> None:
        self._core = _core.Governor(cpu, memory, min_fps, fps, detect_every, score_every, capture)

    def admit(self, seconds: float) -> bool:
        """Whether to work on the frame that was taken at ``seconds``."""
        return self._core.admit(seconds)

    def update(self, usage: ResourceUsage, seconds: float) -> Workload:
        """Takes a measurement made at ``seconds`` and tells what to do now."""
        return Workload(*self._core.update(usage.seconds, usage.process_cpu, usage.resident_bytes, seconds))
