#!/usr/bin/env python3
"""The benchmark: our library and its peers in one run, in turn, on one core.

  run.py [AREA...] --json FILE --build DIR [--quick]     measure; areas: engine torch roi pipeline tracker stream cache batch start size memory
  run.py --render FILE --markdown docs/performance.md    put the table of a result into a document

An area may name one subject: engine/yunet_320. Peers run in a virtual environment of their own (`./dev setup --bench`):
$LIVENESS_BENCH_VENV, .venv-bench here or one folder up. What makes OpenVINO's int8 files does not go together with it:
$LIVENESS_NNCF_VENV (pip install nncf==3.4.0 openvino==2026.4.1 onnx==1.23.2). Standard library only. How it is measured:
docs/performance.md.
"""

import argparse
import array
import fnmatch
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
AREAS = ("engine", "torch", "roi", "pipeline", "tracker", "stream", "cache", "batch", "start", "size", "memory")
TOLERANCE = 1e-3  # outputs further apart than this are not the same network


@dataclass(frozen=True)
class Net:
    file: str
    shape: tuple[int, int, int]
    high: float  # value of a white pixel
    inputs: int  # pictures to take turns over
    classifier: bool  # its outputs are compared after softmax


NETS = {
    "minifasnet_v2_80": Net("minifasnet_v2_80_scale2.7.onnx", (3, 80, 80), 255, 16, True),
    "minifasnet_v1se_80": Net("minifasnet_v1se_80_scale4.0.onnx", (3, 80, 80), 255, 16, True),
    "minifasnet_v2se_128": Net("minifasnet_v2se_128_scale1.5.onnx", (3, 128, 128), 1, 16, True),
    "yunet_320": Net("yunet_s_320_320.onnx", (3, 320, 320), 255, 16, False),
}
PAIR = ("minifasnet_v2_80", "minifasnet_v1se_80")
YUNET_ANY_SIZE = "yunet_s_640_640.onnx"  # OpenCV's detector sets the size itself
LOW = ("bf16", "int8")  # precisions below fp32
ENGINES = ("openvino", "onnxruntime", "ncnn", "torch")
# Whole peers as they are put together, then the best parts that nobody ships together.
CHAINS = {
    "opencv640+v2se:onnxruntime": "face-antispoof-onnx's chain: {opencv} YuNet at 640x480, V2-SE 128 in {onnxruntime}",
    "opencv640+pair:onnxruntime": "deepface's chain: {opencv} YuNet at 640x480, the pair in {onnxruntime}",
    "opencv320+pair:openvino": "best parts: {opencv} YuNet at 320x240, the pair in {openvino}",
    "onnxruntime320+pair:openvino": "best parts: YuNet-320 in {onnxruntime}, the pair in {openvino}",
}

# Peers of a film, frame by frame: what finds or follows the face, then what scores it too, in every third frame.
TRACKERS = {
    "opencv320": "{opencv} YuNet at 320x240",
    "csrt": "{opencv} CSRT",
}
STREAMS = {
    "opencv320+v2:openvino": "{opencv} YuNet at 320x240 in every frame, V2 in {openvino} in every third",
    "flow+v2:openvino": "best parts: {opencv} Lucas-Kanade, YuNet-320 in {onnxruntime} in every 30th frame, V2 in {openvino} in every third",
}
FILM = 30  # frames of the film: a burst of as many has one search of the whole frame and ten scores


@dataclass(frozen=True)
class Target:
    """What the project set itself; shown beside a row, never a reason to fail."""

    name: str
    baseline: str
    bound: float
    of: str = "ratio"  # or what of our own figures is limited: ours, p99_ours
    least: bool = False  # for those: the bound is the least instead of the most

    def met(self, row: Mapping[str, Any]) -> bool:
        return bool(row[self.of] >= self.bound if self.of == "ratio" or self.least else row[self.of] <= self.bound)

    def text(self, row: Mapping[str, Any]) -> str:
        if self.of == "ratio":
            return f">= {self.bound:g}x"
        return f"{'p99 ' if self.of == 'p99_ours' else ''}{'>=' if self.least else '<='} {self.bound:g} {row['unit']}"


TARGETS = (
    Target("engine/minifasnet_*/fp32", "LibTorch*", 6),
    Target("engine/yunet_320/fp32", "LibTorch*", 6),
    Target("engine/minifasnet_*/fp32", "*", 1.5),
    Target("engine/yunet_320/fp32", "*", 1.3),
    Target("engine/*/fp32_avx2", "*", 1.2),
    Target("engine/minifasnet_*/bf16", "OpenVINO*", 1.6),
    Target("engine/yunet_320/bf16", "OpenVINO*", 1.2),
    Target("engine/minifasnet_*/int8", "OpenVINO*", 2),
    Target("engine/minifasnet_*/int8", "LibTorch*", 10),
    Target("engine/*/batch16", "*", 0.98),  # no slower than batch 1; ratios of equals stray by 2 %
    Target("engine/minifasnet_v2_80/peak", "*", 0.75),
    Target("torch/*/int8", "*", 2),
    Target("torch/*/operator_int8", "*", 8),
    Target("roi/plain80", "*", 2),
    Target("roi/border80", "*", 5),
    Target("roi/area128", "*", 5),
    Target("pipeline/still640", "*chain*", 6),
    Target("pipeline/still640", "*", 2.6, of="ours"),
    Target("tracker/update", "*YuNet*", 10),
    Target("tracker/update", "*CSRT*", 100),
    Target("tracker/update", "*", 0.15, of="ours"),
    Target("stream/effective_fps", "*", 2000, of="ours", least=True),
    Target("stream/push", "*", 3, of="p99_ours"),
    Target("cache/hit*", "*", 100),
    Target("batch/two_cores", "*", 1.9),
    Target("start/c_first_score", "*", 15, of="ours"),
    Target("size/minimal", "*", 1.5, of="ours"),
    Target("memory/c_example", "*", 25, of="ours"),
)


def targets(row: Mapping[str, Any]) -> list[Target]:
    """The first ratio and the first limit that name the row."""
    named = [t for t in TARGETS if fnmatch.fnmatch(row["name"], t.name) and fnmatch.fnmatch(row["baseline_name"], t.baseline)]
    return [t for limit in (False, True) for t in [t for t in named if (t.of != "ratio") is limit][:1]]


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def percentile(values: Iterable[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def flat(rounds: Iterable[Sequence[float]]) -> list[float]:
    return list(itertools.chain.from_iterable(rounds))


class BenchError(Exception):
    """What stops one subject, in words."""


# ---------------------------------------------------------------- children
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")


class Child:
    """A process that waits for its turn. The commands are those of worker.cpp."""

    def __init__(self, command: Sequence[str | Path], log_file: Path, env: Mapping[str, str] = {}):
        self.name = log_file.stem
        self.log_file = log_file
        with open(log_file, "w") as errors:
            self.process = subprocess.Popen(
                [str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=os.environ | THREADS | env,
            )  # fmt: skip
        self.hello = self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.name} ended with {self.process.wait()}: {self.log_file.read_text()[-300:].strip()}")
        answer = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return dict(answer)

    def ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # reading says why
        return self._read()

    def run(self, warm: int, runs: int) -> list[float]:
        return list(self.ask(f"run {warm} {runs}")["ms"])

    def outputs(self) -> Sequence[float]:
        file = self.log_file.with_suffix(".f32")
        self.ask(f"outputs {file}")
        values = array.array("f")
        values.frombytes(file.read_bytes())
        return values

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def interleave(children: Mapping[str, Child], runs: Mapping[str, int], rounds: int) -> dict[str, list[list[float]]]:
    """Milliseconds by child and round. Each has its burst in every round; who follows whom changes from round to round."""
    times: dict[str, list[list[float]]] = {name: [] for name in children}
    names = list(children)
    for i in range(rounds):
        k = i % len(names)
        order = names[k:] + names[:k]
        for name in order if i % 2 == 0 else reversed(order):
            times[name].append(children[name].run(2 if runs[name] > 2 else 1, runs[name]))
    return times


# ---------------------------------------------------------------- the bench
class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.build: Path = arguments.build.resolve()
        self.minimal: Path | None = arguments.minimal.resolve() if arguments.minimal else None
        self.models: Path = arguments.models.resolve()
        self.quick: bool = arguments.quick
        self.rounds: int = 2 if self.quick else arguments.rounds
        self.burst: int = 3 if self.quick else arguments.burst
        self.work = self.build / "bench"
        self.logs = self.work / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.worker = self.tool("liveness_bench_worker")
        self.python = venv_python()
        self.core: int = arguments.core
        self.cores: set[int] = arguments.cores
        self.rows: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.notes: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.peers = ENGINES
        if self.python:
            self.versions = self.peer("versions")
        else:
            log("no peers: ./dev setup --bench makes their environment")
        if not self.python:
            self.peers = ()
        elif self.quick:
            self.peers = ("onnxruntime",)

    def tool(self, name: str) -> Path:
        for folder in (self.build / "bin", self.build / "tests" / "bench", self.build):
            if (folder / name).exists():
                return folder / name
        raise SystemExit(f"run.py: no {name} in {self.build}; build the benchmarks (LIVENESS_BUILD_BENCH=ON)")

    def peer(self, *arguments: str | Path) -> Any:
        """One short call of peers.py; its last line as JSON."""
        done = subprocess.run([str(self.python), str(HERE / "peers.py"), *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"peers.py {arguments[0]}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None

    def add(self, name: str, unit: str, ours: float, baseline: float, baseline_name: str, ratio: float,
            p99_ours: float | None = None, p99_baseline: float | None = None) -> None:  # fmt: skip
        row = {"name": name, "unit": unit, "ours": ours, "baseline": baseline, "baseline_name": baseline_name, "ratio": ratio,
               "p99_ours": ours if p99_ours is None else p99_ours, "p99_baseline": baseline if p99_baseline is None else p99_baseline}  # fmt: skip
        self.rows.append({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})

    def add_times(self, name: str, ours: list[list[float]], baseline: list[list[float]], baseline_name: str, unit: str = "ms") -> None:
        ratios = [statistics.median(b) / statistics.median(o) for o, b in zip(ours, baseline, strict=True)]
        a, b = flat(ours), flat(baseline)
        self.add(name, unit, statistics.median(a), statistics.median(b), baseline_name, statistics.median(ratios),
                 percentile(a, 0.99), percentile(b, 0.99))  # fmt: skip

    # ------------------------------------------------------------ what is made once
    def package(self, name: str) -> Path:
        source, contract, package = self.models / NETS[name].file, ROOT / "models" / "contracts" / f"{name}.yaml", self.work / f"{name}.safetensors"
        if not source.exists():
            raise BenchError(f"{source} is not there (LIVENESS_MODELS names the folder of the third-party networks)")
        made_from = (source, contract, self.worker)
        if not package.exists() or package.stat().st_mtime < max(f.stat().st_mtime for f in made_from):
            done = subprocess.run([self.worker, "convert", source, contract, package], capture_output=True, text=True)
            if done.returncode:
                raise BenchError(f"converting {name}: {done.stdout.strip()}")
        return package

    def inputs(self, name: str) -> Path:
        net, file = NETS[name], self.work / f"{name}.f32"
        if not file.exists():
            subprocess.run([self.worker, "inputs", *map(str, net.shape), str(net.inputs), str(net.high), file], check=True)
        return file

    def prepare_peers(self) -> None:
        done = self.work / "peers.json"
        film = self.work / "film.bgr"
        if self.python and not (film.exists() and done.exists() and json.loads(done.read_text()) == self.versions):
            log("converting the networks for the peers")
            missing = [n.file for n in NETS.values() if not (self.models / n.file).exists()]
            if missing:
                raise BenchError(f"{self.models} lacks {', '.join(missing)}")
            self.peer("prepare", self.work, *(f"{n}={self.models / net.file}" for n, net in NETS.items()))
            done.write_text(json.dumps(self.versions))

    def start(self, children: dict[str, Child], name: str, label: str, command: Sequence[str | Path], env: Mapping[str, str] = {}) -> None:
        """Adds a child; one that cannot start is a problem to report, not an end."""
        try:
            children[name] = Child(command, self.logs / f"{label}.{name}.log", env)
        except BenchError as e:
            self.problem(f"{label}: {e}")

    def problem(self, text: str) -> None:
        self.problems.append(text)
        log(f"! {text}")

    # ------------------------------------------------------------ areas
    def engine(self, subject: str) -> None:
        for name in NETS:
            if fnmatch.fnmatch(name, subject):
                self.engine_net(name)
        if self.peers and subject == "*":
            self.call_overhead()

    def engine_net(self, name: str) -> None:
        label = f"engine/{name}"
        log(label)
        package, inputs = self.package(name), self.inputs(name)
        self.prepare_peers()
        children: dict[str, Child] = {}
        try:
            ours = [self.worker, "engine", package, inputs]
            logname = name
            self.start(children, "ours", logname, [*ours, "1", "fp32"])
            if "ours" not in children:
                return
            self.start(children, "batch16", logname, [*ours, "16", "fp32"])
            isa, macs = children["ours"].hello["isa"], children["ours"].hello["macs"]
            wide = isa in ("avx512", "amx")
            if wide or isa == "avx2":
                self.start(children, "peak", logname, [self.worker, "peak", "avx512" if wide else isa])
            for engine in self.peers:
                self.start(children, engine, logname, [self.python or "", HERE / "peers.py", "engine", engine, self.work, name, inputs])
            if "openvino" in self.peers:
                native = [self.tool("liveness_bench_openvino"), self.openvino_library(), self.work / f"{name}.onnx", inputs, *map(str, NETS[name].shape)]
                self.start(children, "openvino_c", logname, [*native, "f32"])
                if wide:
                    self.start(children, "ours_avx2", logname, [*ours, "1", "fp32"], {"LIVENESS_ISA": "avx2"})
                    self.start(children, "openvino_c_avx2", logname, [*native, "f32"], {"ONEDNN_MAX_CPU_ISA": "AVX2"})
                self.start(children, "openvino_c_bf16", logname, [*native, "bf16"])
                if quantized := self.quantized(name):
                    self.start(children, "openvino_c_int8", logname, [*native[:2], quantized, *native[3:], "f32"])
            for precision in LOW:
                self.start(children, f"ours_{precision}", logname, [*ours, "1", precision])
                child = children.get(f"ours_{precision}")
                if child and child.hello["fallback"]:
                    log(f"{label}: {child.hello['fallback']}")
                    children.pop(f"ours_{precision}").close()
            self.check_outputs(label, name, children)
            if "ours" not in children:
                return
            runs = {c: self.burst for c in children} | {"batch16": max(2, self.burst // 8)}
            times = interleave(children, runs, self.rounds)
            for engine in ("openvino_c", *self.peers):
                if engine in times:
                    self.add_times(f"{label}/fp32", times["ours"], times[engine], self.engine_name(engine))
            if "ours_avx2" in times and "openvino_c_avx2" in times:
                self.add_times(f"{label}/fp32_avx2", times["ours_avx2"], times["openvino_c_avx2"], f"{self.engine_name('openvino_c')}, AVX2")
            for precision in LOW:
                names = {f"openvino_c_{precision}": precision, "torch": "fp32", "ours": "fp32"}
                for engine, theirs in names.items():
                    if f"ours_{precision}" in times and engine in times:
                        who = "ours" if engine == "ours" else self.engine_name(engine.removesuffix(f"_{precision}"))
                        self.add_times(f"{label}/{precision}", times[f"ours_{precision}"], times[engine], f"{who}, {theirs}")
            if "batch16" in times:
                per_image = [[ms / 16 for ms in r] for r in times["batch16"]]
                self.add_times(f"{label}/batch16", per_image, times["ours"], "ours, batch 1")
            if "peak" in times:
                peak_macs = children["peak"].hello["macs"]
                rate = [[macs / ms / 1e6 for ms in r] for r in times["ours"]]  # GMAC/s
                peak = [max(peak_macs / ms / 1e6 for ms in r) for r in times["peak"]]  # the best of a burst: a peak is a limit
                shares = [statistics.median(r) / p for r, p in zip(rate, peak, strict=True)]
                self.add(f"{label}/peak", "GMAC/s", statistics.median(flat(rate)), statistics.median(peak), f"measured FMA peak, {'avx512' if wide else isa}",
                         statistics.median(shares), percentile(flat(rate), 0.01), min(peak))  # fmt: skip
        finally:
            for child in children.values():
                child.close()

    def torch(self, subject: str) -> None:
        """LibTorch's own ways against plain LibTorch fp32, in one process on the same tensors."""
        tool = self.build / "bin" / "liveness_torch_bench"
        if not tool.exists():
            log("torch: skipped, the plugin is not built (LIVENESS_BUILD_TORCH)")
            return
        for name in NETS:
            if not (NETS[name].classifier and fnmatch.fnmatch(name, subject)):
                continue
            log(f"torch/{name}")
            done = subprocess.run([tool, self.package(name), self.inputs(name), str(self.rounds), str(self.burst)],
                                  capture_output=True, text=True, env=os.environ | THREADS)  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"error": f"ended with {done.returncode}: {done.stderr.strip()[-300:]}"}
            if "error" in found:
                self.problem(f"torch/{name}: {found['error']}")
                continue
            times = found["ms"]
            for variant in ("fp32", "int8", "operator_fp32", "operator_int8"):
                self.add_times(f"torch/{name}/{variant}", times[variant], times["plain"],
                               f"plain LibTorch {found['torch']} fp32, same process")  # fmt: skip

    def engine_name(self, engine: str) -> str:
        kind = {"torch": ", eager", "openvino_c": ", C API"}.get(engine, "")
        return self.versions[engine.removesuffix("_c")] + kind

    def quantized(self, name: str) -> Path | None:
        """The network in int8 for OpenVINO, made once by the environment that has NNCF."""
        file = self.work / f"{name}.int8.xml"
        folder = Path(os.environ.get("LIVENESS_NNCF_VENV") or ROOT.parent / ".venv-nncf")
        if not file.exists():
            if not (folder / "bin" / "python").exists():
                log(f"{name}: no OpenVINO int8: LIVENESS_NNCF_VENV names no environment with NNCF")
                return None
            command = [folder / "bin" / "python", HERE / "peers.py", "quantize", self.work, name, self.inputs(name)]
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
            if done.returncode:
                self.problem(f"{name}: no OpenVINO int8: {done.stderr.strip()[-300:]}")
                return None
        return file

    def openvino_library(self) -> Path:
        found = sorted(self.python.parent.parent.glob("lib/python*/site-packages/openvino/libs/libopenvino_c.so*")) if self.python else []
        if not found:
            raise BenchError("the bench environment has no libopenvino_c.so")
        return found[0]

    def check_outputs(self, label: str, name: str, children: dict[str, Child]) -> None:
        """Drops who does not compute the same network: no straw man is timed."""
        net = NETS[name]
        compared = [c for c in children if c != "peak"]
        outputs = {c: children[c].outputs() for c in compared}
        judge = next((c for c in ("onnxruntime", "openvino", "ours") if c in outputs))
        for child in compared:
            difference = output_difference(outputs[judge], outputs[child], net)
            if child.endswith(LOW):
                # Drift is what these are asked about, so it is shown instead of judged.
                self.notes.setdefault("drift", {})[f"{name} {child.replace('_c_', ' ').replace('_', ' ')}"] = round(difference, 4)
            elif not difference <= TOLERANCE:
                self.problem(f"{label}: {child} differs from {judge} by {difference:.3g} and is left out")
                children.pop(child).close()

    def call_overhead(self) -> None:
        """What a call costs through each peer's Python interface, network aside."""
        children: dict[str, Child] = {}
        try:
            for engine in self.peers:
                self.start(children, engine, "call", [self.python or "", HERE / "peers.py", "engine", engine, self.work, "call", self.work / "call.f32"])
            times = interleave(children, dict.fromkeys(children, self.burst), self.rounds)
            self.notes["call_overhead_us"] = {self.versions[e]: round(1e3 * statistics.median(flat(t)), 1) for e, t in times.items()}
        finally:
            for child in children.values():
                child.close()

    def roi(self, subject: str) -> None:
        log("roi")
        done = subprocess.run([self.tool("liveness_roi_bench"), str(200 if self.quick else 2000)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"roi_bench: {done.stderr.strip()[-300:]}")
        for row in json.loads(done.stdout)["rows"]:
            if fnmatch.fnmatch(row["name"].removeprefix("roi/"), subject):
                self.rows.append(row)

    def pipeline(self, subject: str) -> None:
        name = "pipeline/still640"
        if not self.python:
            raise BenchError(f"{name}: the picture and the peers come with the bench environment")
        log(name)
        self.prepare_peers()
        children: dict[str, Child] = {}
        try:
            self.start(children, "ours", "pipeline", [self.worker, "pipeline", *self.still(*PAIR)])
            for chain in CHAINS if not self.quick else list(CHAINS)[:1]:
                self.start(children, chain, "pipeline", [self.python or "", HERE / "peers.py", "pipeline", chain, self.work, self.models / YUNET_ANY_SIZE])
            if "ours" not in children:
                return
            found = {c: list(children[c].outputs()) for c in children}
            for child, values in found.items():
                overlap = iou(found["ours"], values)
                if overlap < 0.6:
                    self.problem(f"{name}: {child} found another face (IoU {overlap:.2f}) and is left out")
                    children.pop(child).close()
            self.notes["still640_scores"] = {self.chain_name(c): round(v[4], 4) for c, v in found.items()}
            times = interleave(children, dict.fromkeys(children, self.burst), self.rounds)
            for chain in CHAINS:
                if chain in times:
                    self.add_times(name, times["ours"], times[chain], self.chain_name(chain))
        finally:
            for child in children.values():
                child.close()

    def still(self, *members: str) -> list[Path | str]:
        """The arguments of worker.cpp for the portrait."""
        frame = self.work / "frame.bgr"
        if not frame.exists():
            if not self.python:
                raise BenchError("the picture comes with the bench environment")
            self.prepare_peers()
        return [frame, "640", "480", *(self.package(n) for n in ("yunet_320", *members))]

    def own(self, file: str, instead: str) -> Path:
        """A network that the project trained itself; until it is there, a third-party one."""
        package = ROOT / "models" / file
        return package if package.exists() else self.package(instead)

    def film(self, label: str, command: Sequence[str | Path], peers: Sequence[str], frames: Mapping[str, int]) -> dict[str, list[list[float]]]:
        """Milliseconds a frame of the film by child and round; a peer that follows something else is left out."""
        if not self.python:
            raise BenchError(f"{label}: the film and the peers come with the bench environment")
        log(label)
        self.prepare_peers()
        children: dict[str, Child] = {}
        try:
            self.start(children, "ours", label, command)
            for peer in peers[:1] if self.quick else peers:
                self.start(children, peer, label, [self.python, HERE / "peers.py", "stream", peer, self.work, self.models / YUNET_ANY_SIZE])
            if "ours" not in children:
                return {}
            self.notes[f"{label}_networks"] = {k: children["ours"].hello[k] for k in ("detector", "model") if k in children["ours"].hello}
            boxes = {c: list(children[c].outputs()) for c in children}
            for child, values in boxes.items():
                # Not the first frames: a track takes two.
                overlap = min(iou(boxes["ours"][i : i + 4], values[i : i + 4]) for i in range(4 * 3, 4 * FILM, 4))
                if overlap < 0.5:
                    self.problem(f"{label}: {child} follows something else (IoU {overlap:.2f}) and is left out")
                    children.pop(child).close()
            return interleave(children, {c: frames.get(c, FILM) for c in children}, self.rounds)
        finally:
            for child in children.values():
                child.close()

    def tracker(self, subject: str) -> None:
        detector = self.own("face_detector.safetensors", "yunet_320")
        still = [self.work / "film.bgr", "640", "480", detector]
        times = self.film("tracker", [self.worker, "tracker", *still], list(TRACKERS), {"csrt": 6})
        # The mean of a burst: the search of the whole frame has its share.
        mean = {c: [statistics.mean(r) for r in t] for c, t in times.items()}
        for peer in TRACKERS:
            if peer in times:
                ratio = statistics.median(b / o for o, b in zip(mean["ours"], mean[peer], strict=True))
                self.add("tracker/update", "ms", statistics.median(mean["ours"]), statistics.median(mean[peer]), self.chain_name(peer), ratio,
                         percentile(flat(times["ours"]), 0.99), percentile(flat(times[peer]), 0.99))  # fmt: skip

    def stream(self, subject: str) -> None:
        detector, pad = self.own("face_detector.safetensors", "yunet_320"), self.own("pad_default.safetensors", "minifasnet_v2_80")
        still = [self.work / "film.bgr", "640", "480", detector, pad]
        times = self.film("stream", [self.worker, "stream", *still], list(STREAMS), {})
        fps = {c: [1000 * len(r) / sum(r) for r in t] for c, t in times.items()}
        for peer in STREAMS:
            if peer in times:
                ratio = statistics.median(o / b for o, b in zip(fps["ours"], fps[peer], strict=True))
                slowest = {c: 1000 / percentile(flat(times[c]), 0.99) for c in ("ours", peer)}
                self.add("stream/effective_fps", "frames/s", statistics.median(fps["ours"]), statistics.median(fps[peer]), self.chain_name(peer), ratio,
                         slowest["ours"], slowest[peer])  # fmt: skip
                self.add_times("stream/push", times["ours"], times[peer], self.chain_name(peer))

    def cache(self, subject: str) -> None:
        """A picture that was seen before, against scoring it."""
        for name, how, members in (("hit", "detect", PAIR), ("hit_box", "box", PAIR), ("hit_box_v2se", "box", ("minifasnet_v2se_128",))):
            if not fnmatch.fnmatch(name, subject):
                continue
            log(f"cache/{name}")
            children: dict[str, Child] = {}
            try:
                for child, size in (("hit", "16000000"), ("scored", "0")):
                    self.start(children, child, f"cache.{name}", [self.worker, "cache", size, how, *self.still(*members)])
                if len(children) < 2:
                    return
                if list(children["hit"].outputs()) != list(children["scored"].outputs()):
                    raise BenchError(f"cache/{name}: the cache answers something else")
                times = interleave(children, {"hit": self.burst * 4, "scored": self.burst}, self.rounds)
                in_us = {c: [[ms * 1000 for ms in r] for r in t] for c, t in times.items()}
                self.add_times(f"cache/{name}", in_us["hit"], in_us["scored"], "ours, scored", "us")
            finally:
                for child in children.values():
                    child.close()

    def batch(self, subject: str) -> None:
        """16 pictures on two cores against one."""
        if len(self.cores) < 2:
            raise BenchError("batch/two_cores: needs two cores")
        log("batch")
        children: dict[str, Child] = {}
        os.sched_setaffinity(0, set(sorted(self.cores)[-2:]))
        try:
            for threads in (1, 2):
                self.start(children, str(threads), "batch", [self.worker, "batch", str(threads), *self.still(*PAIR)])
            if len(children) < 2:
                return
            times = interleave(children, dict.fromkeys(children, max(2, self.burst // 8)), self.rounds)
            if list(children["1"].outputs()) != list(children["2"].outputs()):
                raise BenchError("batch: scores depend on the number of threads")
            self.add_times("batch/two_cores", times["2"], times["1"], "ours, one core")
        finally:
            for child in children.values():
                child.close()
            os.sched_setaffinity(0, {self.core})

    def chain_name(self, chain: str) -> str:
        names = self.versions | {"opencv": self.versions["opencv-contrib-python-headless"]}
        known = CHAINS | TRACKERS | STREAMS
        return known[chain].format_map(names) if chain in known else chain

    def launches(self) -> dict[str, list[dict[str, Any]]]:
        """Fresh processes, in turn: the C example and one program an engine. The pair and the detector, one picture, end."""
        self.prepare_peers()
        nets = ("yunet_320", *PAIR)
        commands = {"ours": self.c_example()}
        if self.python:
            commands["python"] = [self.python, HERE / "peers.py", "first", "python", self.work]
        for engine in self.peers:
            commands[engine] = [self.python or "", HERE / "peers.py", "first", engine, self.work, *nets]
        launch = self.tool("liveness_bench_launch")
        seen: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
        for _ in range(1 if self.quick else 11):
            for name, command in commands.items():
                done = subprocess.run([str(launch), *map(str, command)], capture_output=True, text=True, env=os.environ | THREADS)
                answer = json.loads(done.stdout) if done.stdout.strip() else {"status": done.returncode, "line": ""}
                if answer["status"] != 0:
                    raise BenchError(f"{name} ended with {answer['status']}: {answer['line']} {done.stderr.strip()[-300:]}")
                seen[name].append(answer)
        return seen

    def c_example(self) -> list[Path | str]:
        packages = [self.package(n) for n in ("yunet_320", *PAIR)]
        return [self.tool("c_example"), self.work / "frame.bgr", "640", "480", *packages]

    def launch_area(self, area: str) -> dict[str, list[dict[str, Any]]]:
        log(area)
        if not hasattr(self, "launched"):
            self.launched = self.launches()
        return self.launched

    def start_area(self, subject: str) -> None:
        seen = self.launch_area("start")
        first = {name: [[a["first_ms"]] for a in answers] for name, answers in seen.items()}
        for engine in self.peers:
            self.add_times("start/c_first_score", first["ours"], first[engine], f"{self.engine_name(engine)}, Python program")
            bare = statistics.median(flat(first["python"]))
            less = [[ms[0] - bare] for ms in first[engine]]
            self.add_times("start/c_first_score", first["ours"], less, f"{self.engine_name(engine)}, interpreter and numpy taken off")

    def memory(self, subject: str) -> None:
        seen = self.launch_area("memory")
        peak = {name: [a["rss_kib"] / 1024 for a in answers] for name, answers in seen.items()}
        ours = statistics.median(peak["ours"])
        for engine in self.peers:
            theirs = statistics.median(peak[engine])
            self.add("memory/c_example", "MiB", ours, theirs, f"{self.engine_name(engine)}, Python program", theirs / ours, max(peak["ours"]), max(peak[engine]))

    def size(self, subject: str) -> None:
        if not self.minimal:
            raise BenchError("size/minimal: --minimal DIR names a build of the preset `minimal`")
        found = sorted(p for p in self.minimal.rglob("libliveness_c.so*") if p.is_file() and not p.is_symlink())
        if not found:
            raise BenchError(f"size/minimal: no libliveness_c.so in {self.minimal}")
        stripped = self.work / "libliveness_c.stripped.so"
        subprocess.run(["strip", "-o", stripped, found[0]], check=True)
        ours = stripped.stat().st_size / 1e6
        seen = self.launch_area("size")
        for engine in self.peers:
            theirs = float(seen[engine][0]["line"].split("bytes")[1].split()[0]) / 1e6
            self.add("size/minimal", "MB", ours, theirs, f"{self.engine_name(engine)}, libraries loaded", theirs / ours)


def output_difference(expected: Sequence[float], got: Sequence[float], net: Net) -> float:
    """Largest difference: of softmax for a classifier, otherwise relative to the scale of the outputs."""
    if len(expected) != len(got):
        return math.inf
    if not net.classifier:
        scale = max(1.0, max(map(abs, expected)))
        differences = [abs(a - b) / scale for a, b in zip(expected, got, strict=True)]
    else:
        classes = len(expected) // net.inputs
        differences = []
        for i in range(0, len(expected), classes):
            a, b = (softmax(v[i : i + classes]) for v in (expected, got))
            differences += [abs(x - y) for x, y in zip(a, b, strict=True)]
    # NaN compares false with everything, so max() could step over it.
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    e = [math.exp(v - top) for v in logits]
    return [v / sum(e) for v in e]


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(w, 0.0) * max(h, 0.0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


# ---------------------------------------------------------------- the document
def venv_python() -> Path | None:
    given = os.environ.get("LIVENESS_BENCH_VENV")
    for folder in [Path(given)] if given else [ROOT / ".venv-bench", ROOT.parent / ".venv-bench"]:
        if (folder / "bin" / "python").exists():
            return folder / "bin" / "python"
    return None


def commit() -> str:
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        cpu = {k.strip(): v.strip() for k, v in fields.items()}
    except OSError:
        cpu = {}
    known = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve")
    flags = [f for f in known if f in cpu.get("flags", cpu.get("Features", "")).split()]
    family = f"family {cpu['cpu family']} model {cpu['model']}" if "cpu family" in cpu else platform.machine()
    parts = [f"{cpu.get('model name', platform.processor() or 'CPU')} ({family})", f"{os.cpu_count()} cores", " ".join(flags),
             f"{platform.system()} {platform.release()}"]  # fmt: skip
    return ", ".join(p for p in parts if p)


def figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 20 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def remarks(row: Mapping[str, Any]) -> str:
    return ", ".join(f"target {t.text(row)} {'met' if t.met(row) else 'MISSED'}" for t in targets(row))


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    head = ["name", "unit", "ours p50", "ours p99", "baseline p50", "baseline p99", "ratio", "baseline", ""]
    body = [[r["name"], r["unit"], figure(r["ours"]), figure(r["p99_ours"]), figure(r["baseline"]), figure(r["p99_baseline"]),
             f"{r['ratio']:.2f}", r["baseline_name"], remarks(r)] for r in rows]  # fmt: skip
    return [head, *body]


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = table(rows)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    numbers = range(2, 7)
    return "\n".join("  ".join(c.rjust(w) if i in numbers else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in cells)


def as_markdown(document: Mapping[str, Any]) -> str:
    head, *body = table(document["rows"])
    lines = [
        f"Commit `{document['commit']}`, {document['date']}. Machine: {document['machine']}.",
        "",
        "| " + " | ".join([*head[:-1], "target"]) + " |",
        "|---|---|" + "---:|" * 5 + "---|---|",
        *("| " + " | ".join(row) + " |" for row in body),
    ]
    notes = document.get("notes", {})
    if "call_overhead_us" in notes:
        costs = ", ".join(f"{k} {v:g}" for k, v in notes["call_overhead_us"].items())
        lines += ["", f"Fixed cost of a call through each peer's Python interface, microseconds, part of its figures above: {costs}."]
    if "drift" in notes:
        drift = "; ".join(f"{k} {v:g}" for k, v in notes["drift"].items())
        lines += ["", f"Largest difference from fp32 over the 16 inputs (softmax; of YuNet relative to the outputs' scale): {drift}."]
    if "still640_scores" in notes:
        scores = "; ".join(f"{k}: {v:g}" for k, v in notes["still640_scores"].items())
        lines += ["", f"P(live) of the still picture: {scores}."]
    for area in ("tracker", "stream"):
        if f"{area}_networks" in notes:
            lines += ["", f"Networks of our rows {area}: " + ", ".join(f"{k} {v}" for k, v in notes[f"{area}_networks"].items()) + "."]
    if document.get("problems"):
        lines += ["", "Not measured: " + "; ".join(document["problems"]) + "."]
    return "\n".join(lines)


BEGIN, END = "<!-- bench:begin (written by tests/bench/run.py --markdown) -->", "<!-- bench:end -->"


def write_markdown(file: Path, document: Mapping[str, Any]) -> None:
    text = file.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"run.py: {file} lacks the lines {BEGIN!r} and {END!r}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    file.write_text(f"{before}{BEGIN}\n{as_markdown(document)}\n{END}{after}")


def merge(old: Mapping[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new` with the rows of `old` whose names were not measured again, in the order of the areas."""
    names = {r["name"] for r in new["rows"]}
    rows = [r for r in old["rows"] if r["name"] not in names] + new["rows"]
    order = {name: i for i, name in enumerate(NETS)}
    rows.sort(key=lambda r: (AREAS.index(r["name"].split("/")[0]), order.get(r["name"].split("/")[1], 0)))
    notes = old.get("notes", {})
    drift = notes.get("drift", {}) | new["notes"].get("drift", {})
    return new | {"rows": rows, "notes": notes | new["notes"] | ({"drift": drift} if drift else {})}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{' '.join(AREAS)} (all unless told), or one subject: engine/yunet_320")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here")
    parser.add_argument("--append", action="store_true", help="keep the rows of FILE that are not measured again")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "dev", metavar="DIR", help="the build tree (%(default)s)")
    parser.add_argument("--minimal", type=Path, metavar="DIR", help="a build tree of the preset `minimal`, for the size")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("LIVENESS_MODELS") or ROOT.parent / "shared" / "models"), metavar="DIR",
                        help="folder of the third-party networks (%(default)s)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=24, help="turns that everybody has (%(default)s)")
    parser.add_argument("--burst", type=int, default=25, help="timed calls a turn (%(default)s)")
    parser.add_argument("--core", type=int, help="the core to run on; the last allowed one unless told")
    parser.add_argument("--quick", action="store_true", help="a look whether everything runs; the figures mean nothing")
    parser.add_argument("--render", type=Path, metavar="FILE", help="take the result from FILE instead of measuring")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between this document's bench marks")
    arguments = parser.parse_args()

    if arguments.render:
        document = json.loads(arguments.render.read_text())
    else:
        chosen = [a.partition("/") for a in arguments.areas] or [(a, "", "") for a in AREAS]
        for area, _, _ in chosen:
            if area not in AREAS:
                parser.error(f"unknown area {area!r}; there are {', '.join(AREAS)}")
        # The child processes inherit the core; this one only waits.
        arguments.cores = os.sched_getaffinity(0)
        if arguments.core is None:
            arguments.core = max(arguments.cores)
        os.sched_setaffinity(0, {arguments.core})
        bench = Bench(arguments)
        run: dict[str, Callable[[str], None]] = {"engine": bench.engine, "torch": bench.torch, "roi": bench.roi, "pipeline": bench.pipeline,
                                                 "tracker": bench.tracker, "stream": bench.stream, "cache": bench.cache, "batch": bench.batch,
                                                 "start": bench.start_area, "size": bench.size, "memory": bench.memory}  # fmt: skip
        for area, _, subject in chosen:
            try:
                run[area](subject.split("/")[0] or "*")
            except BenchError as e:
                bench.problem(str(e))
        document = {"commit": commit(), "machine": machine(), "date": time.strftime("%Y-%m-%d"), "rounds": bench.rounds, "burst": bench.burst,
                    "rows": bench.rows, "notes": bench.notes, "problems": bench.problems}  # fmt: skip
        if arguments.json:
            if arguments.append and arguments.json.exists():
                document = merge(json.loads(arguments.json.read_text()), document)
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.markdown:
        write_markdown(arguments.markdown, document)
    print(f"commit {document['commit']}; {document['machine']}")
    print(as_text(document["rows"]))
    return 1 if document["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
