#!/usr/bin/env python3
"""The peers' side of the benchmark; runs in the bench environment (requirements-*.txt), started by run.py.

  peers.py prepare WORK NAME=ONNX...         what must be converted once: fixed-batch ONNX, ncnn and TorchScript files, the frame
  peers.py quantize WORK NAME INPUTS         the network as an OpenVINO file in int8, calibrated on INPUTS; needs NNCF
  peers.py engine ENGINE WORK NAME INPUTS    one network in one engine; the network `call` has one operator: what a call costs
  peers.py pipeline CHAIN WORK YUNET         the raw BGR frame to a verdict; YUNET is the file of any input size
  peers.py stream CHAIN WORK YUNET           the next frame of the film to a box, and to P(live) where CHAIN scores
  peers.py first ENGINE WORK NAME...         load the networks, run each once, print a line, end
  peers.py versions

engine, pipeline and stream say one line of JSON when they are ready, then answer the commands of worker.cpp's protocol.
ENGINE is one of openvino, onnxruntime, ncnn, torch. All run fp32 on one thread.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Run = Callable[[Any], list[Any]]  # float32 array 1 x C x H x W -> the graph's outputs in its order
Detect = Callable[[Any], Sequence[float]]  # 8-bit BGR frame -> x, y, width, height of its largest face


# ---------------------------------------------------------------- engines
def load_onnxruntime(work: Path, name: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(work / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    key = session.get_inputs()[0].name
    return lambda x: session.run(None, {key: x})


def load_openvino(work: Path, name: str) -> Run:
    import openvino

    # Left alone, it runs bf16 on CPUs that have it.
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(work / f"{name}.onnx", "CPU", settings).create_infer_request()
    outputs = range(len(request.model_outputs))

    def run(x: Any) -> list[Any]:
        request.infer([x], share_inputs=True, share_outputs=True)
        return [request.get_output_tensor(i).data for i in outputs]

    return run


def load_ncnn(work: Path, name: str) -> Run:
    import ncnn
    import numpy as np

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = False
    if net.load_param(str(work / f"{name}.ncnn.param")) or net.load_model(str(work / f"{name}.ncnn.bin")):
        raise RuntimeError(f"ncnn cannot load {name}")
    key, outputs = net.input_names()[0], net.output_names()

    def run(x: Any) -> list[Any]:
        extractor = net.create_extractor()
        extractor.input(key, ncnn.Mat(x[0]))
        return [np.array(extractor.extract(o)[1]) for o in outputs]

    return run


def load_torch(work: Path, name: str) -> Run:
    """Eager: the modules' own statements, one after the other."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    net = torch_module(work / f"{name}.onnx")

    def run(x: Any) -> list[Any]:
        with torch.inference_mode():
            return [o.numpy() for o in net(torch.from_numpy(x))]

    return run


LOADERS = {"onnxruntime": load_onnxruntime, "openvino": load_openvino, "ncnn": load_ncnn, "torch": load_torch}


def torch_module(onnx_file: Path) -> Any:
    """An nn.Module whose forward is one statement an ONNX node, as a person would have written it."""
    import linecache

    import onnx
    import torch
    from onnx import numpy_helper

    graph = onnx.load(onnx_file).graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    constants |= {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"}
    names: dict[str, str] = {}
    buffers: dict[str, Any] = {}

    def variable(key: str) -> str:
        return names.setdefault(key, f"t{len(names)}")

    def operand(key: str) -> str:
        if key not in constants:
            return variable(key)
        buffers[variable(key)] = torch.from_numpy(constants[key].copy())
        return "self." + variable(key)

    def statement(node: Any) -> str:
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        i = node.input
        match node.op_type:
            case "Conv":
                pads = list(a.get("pads", [0] * 4))
                assert pads[:2] == pads[2:], "asymmetric padding"
                bias = operand(i[2]) if len(i) > 2 else None
                return (
                    f"F.conv2d({operand(i[0])}, {operand(i[1])}, {bias}, {tuple(a.get('strides', (1, 1)))}, {tuple(pads[:2])}, "
                    f"{tuple(a.get('dilations', (1, 1)))}, {a.get('group', 1)})"
                )
            case "PRelu":
                constants[i[1]] = constants[i[1]].reshape(-1)
                return f"F.prelu({operand(i[0])}, {operand(i[1])})"
            case "BatchNormalization":
                scale, bias, mean, variance = map(operand, i[1:])
                return f"F.batch_norm({operand(i[0])}, {mean}, {variance}, {scale}, {bias}, False, 0.0, {a.get('epsilon', 1e-5)})"
            case "MaxPool":
                return f"F.max_pool2d({operand(i[0])}, {tuple(a['kernel_shape'])}, {tuple(a['strides'])}, {tuple(a.get('pads', [0, 0]))[:2]})"
            case "Resize":
                assert a["mode"] == b"nearest", "only nearest"
                return f"F.interpolate({operand(i[0])}, scale_factor=2.0, mode='nearest')"
            case "Reshape":
                return f"{operand(i[0])}.reshape({tuple(int(x) for x in constants[i[1]])})"
            case "Gemm":
                assert a.get("transB") == 1, "only x W' + b"
                return f"F.linear({operand(i[0])}, {operand(i[1])}, {operand(i[2])})"
            case "Transpose":
                return f"{operand(i[0])}.permute{tuple(a['perm'])}"
        forms = {
            "Relu": "F.relu({0})", "Sigmoid": "torch.sigmoid({0})", "Add": "{0} + {1}", "Mul": "{0} * {1}", "Identity": "{0}",
            "MatMul": "torch.matmul({0}, {1})", "GlobalAveragePool": "F.adaptive_avg_pool2d({0}, 1)", "Flatten": "torch.flatten({0}, 1)",
        }  # fmt: skip
        return forms[node.op_type].format(*(operand(s) for s in i if s))

    lines = [f"        {variable(n.output[0])} = {statement(n)}" for n in graph.node if n.op_type != "Constant"]
    source = "class Net(torch.nn.Module):\n    def forward(self, {}):\n{}\n        return ({},)\n".format(
        variable(next(x.name for x in graph.input if x.name not in constants)),
        "\n".join(lines),
        ", ".join(variable(o.name) for o in graph.output),
    )
    linecache.cache["<onnx>"] = (len(source), None, source.splitlines(True), "<onnx>")
    scope: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    exec(compile(source, "<onnx>", "exec"), scope)
    net = scope["Net"]()
    for key, tensor in buffers.items():
        net.register_buffer(key, tensor)
    return net.eval()


# ---------------------------------------------------------------- whole chains, from a frame to a verdict
def softmax(logits: Any) -> Any:
    import numpy as np

    e = np.exp(logits - logits.max())
    return e / e.sum()


def shifted_crop(frame: Any, box: Sequence[float], scale: float, size: int) -> Any:
    """The rule of the two 80-pixel networks: the scale shrinks until the crop fits, then the crop is shifted inside."""
    import cv2
    import numpy as np

    height, width = frame.shape[:2]
    x, y, w, h = box
    scale = min((height - 1) / h, (width - 1) / w, scale)
    half_w, half_h, cx, cy = w * scale / 2, h * scale / 2, x + w / 2, y + h / 2
    cx = min(max(cx, half_w), width - 1 - half_w)
    cy = min(max(cy, half_h), height - 1 - half_h)
    crop = frame[int(cy - half_h) : int(cy + half_h) + 1, int(cx - half_w) : int(cx + half_w) + 1]
    return np.ascontiguousarray(cv2.resize(crop, (size, size)).astype(np.float32).transpose(2, 0, 1)[None])


def bordered_crop(frame: Any, box: Sequence[float], scale: float, size: int) -> Any:
    """The rule of the 128-pixel network: a square, mirrored at the border, Lanczos up and area down, RGB in 0..1."""
    import cv2
    import numpy as np

    height, width = frame.shape[:2]
    side = int(max(box[2], box[3]) * scale)
    x, y = int(box[0] + box[2] / 2 - side / 2), int(box[1] + box[3] / 2 - side / 2)
    crop = frame[max(y, 0) : min(y + side, height), max(x, 0) : min(x + side, width)]
    outside = max(-y, 0), max(y + side - height, 0), max(-x, 0), max(x + side - width, 0)
    if any(outside):
        crop = cv2.copyMakeBorder(crop, *outside, cv2.BORDER_REFLECT_101)
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LANCZOS4 if side < size else cv2.INTER_AREA)
    crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None])


def opencv_detector(yunet: str, width: int, height: int) -> Detect:
    import cv2

    detector = cv2.FaceDetectorYN.create(yunet, "", (width, height), 0.6, 0.3, 50)

    def detect(frame: Any) -> Sequence[float]:
        scale_x, scale_y = frame.shape[1] / width, frame.shape[0] / height
        small = frame if frame.shape[:2] == (height, width) else cv2.resize(frame, (width, height))
        faces = detector.detect(small)[1]
        x, y, w, h = max(faces, key=lambda f: f[2] * f[3])[:4]
        return x * scale_x, y * scale_y, w * scale_x, h * scale_y

    return detect


def onnxruntime_detector(work: Path) -> Detect:
    """YuNet-320 decoded by hand; only the best point is kept, which costs less than the suppression that a detector needs."""
    import cv2
    import numpy as np

    run = load_onnxruntime(work, "yunet_320")
    canvas = np.zeros((1, 3, 320, 320), np.float32)

    def detect(frame: Any) -> Sequence[float]:
        scale = min(320 / frame.shape[0], 320 / frame.shape[1])
        fitted = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
        canvas[0, :, : fitted[1], : fitted[0]] = cv2.resize(frame, fitted).transpose(2, 0, 1)
        out = run(canvas)
        best = None
        for k, stride in enumerate((8, 16, 32)):
            score = out[k][0, :, 0] * out[3 + k][0, :, 0]
            i = int(score.argmax())
            if best is None or score[i] > best[0]:
                best = score[i], stride, i, out[6 + k][0, i]
        _, stride, i, (dx, dy, dw, dh) = best
        row, column = divmod(i, 320 // stride)
        w, h = np.exp(dw) * stride, np.exp(dh) * stride
        x, y = (column + dx) * stride - w / 2, (row + dy) * stride - h / 2
        return x / scale, y / scale, w / scale, h / scale

    return detect


def load_detector(detector: str, work: Path, yunet: str) -> Detect:
    return {
        "opencv640": lambda: opencv_detector(yunet, 640, 480),
        "opencv320": lambda: opencv_detector(yunet, 320, 240),
        "onnxruntime320": lambda: onnxruntime_detector(work),
    }[detector]()


def load_scorer(scorer: str, work: Path) -> Callable[[Any, Sequence[float]], float]:
    """P(live) of the face in the frame; `scorer` is NETWORKS:ENGINE."""
    kind, _, engine = scorer.partition(":")
    load = LOADERS[engine]
    if kind == "v2se":
        net = load(work, "minifasnet_v2se_128")
        return lambda frame, box: softmax(net(bordered_crop(frame, box, 1.5, 128))[0][0])[0]
    v2 = load(work, "minifasnet_v2_80")
    if kind == "v2":
        return lambda frame, box: softmax(v2(shifted_crop(frame, box, 2.7, 80))[0][0])[1]
    v1se = load(work, "minifasnet_v1se_80")

    def pair(frame: Any, box: Sequence[float]) -> float:
        a = softmax(v2(shifted_crop(frame, box, 2.7, 80))[0][0])[1]
        return (a + softmax(v1se(shifted_crop(frame, box, 4.0, 80))[0][0])[1]) / 2

    return pair


def load_chain(chain: str, work: Path, yunet: str, frame: Any) -> Callable[[], list[float]]:
    """Detector and networks of a whole peer, put together from the same files that we run. Returns box and P(live)."""
    import cv2

    cv2.setNumThreads(1)
    detector, _, scorer = chain.partition("+")
    detect = load_detector(detector, work, yunet)
    score = load_scorer(scorer, work)

    def run() -> list[float]:
        box = detect(frame)
        return [*map(float, box), float(score(frame, box))]

    return run


# ---------------------------------------------------------------- streams
def csrt(detect: Detect) -> Detect:
    """CSRT of opencv-contrib, started on the detector's box of the first frame."""
    import cv2

    tracker = cv2.TrackerCSRT_create()
    started = False

    def update(frame: Any) -> Sequence[float]:
        nonlocal started
        if not started:
            box = detect(frame)
            tracker.init(frame, tuple(int(v) for v in box))
            started = True
            return box
        found, box = tracker.update(frame)
        return box if found else (0, 0, 0, 0)

    return update


def optical_flow(detect: Detect, every: int) -> Detect:
    """Pyramidal Lucas-Kanade on 40 corners of the face, median shift and scale; the detector in one frame of `every`."""
    import cv2
    import numpy as np

    points = before = None
    box: Sequence[float] = (0, 0, 0, 0)
    count = 0
    how = {"winSize": (15, 15), "maxLevel": 2, "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03)}

    def update(frame: Any) -> Sequence[float]:
        nonlocal points, before, box, count
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if count % every == 0 or points is None:
            x, y, w, h = box = detect(frame)
            mask = np.zeros_like(grey)
            mask[max(int(y + h / 6), 0) : int(y + h * 5 / 6), max(int(x + w / 6), 0) : int(x + w * 5 / 6)] = 255
            points = cv2.goodFeaturesToTrack(grey, 40, 0.01, 5, mask=mask)
        else:
            moved, found, _ = cv2.calcOpticalFlowPyrLK(before, grey, points, None, **how)
            good = found.ravel() == 1
            p, q = points[good].reshape(-1, 2), moved[good].reshape(-1, 2)
            points = None
            if len(p) >= 6:
                shift = np.median(q - p, 0)
                spread = np.linalg.norm(p - p.mean(0), axis=1)
                wide = spread > 4
                scale = float(np.median(np.linalg.norm(q - q.mean(0), axis=1)[wide] / spread[wide])) if wide.any() else 1.0
                x, y, w, h = box
                box = (x + shift[0] + w * (1 - scale) / 2, y + shift[1] + h * (1 - scale) / 2, w * scale, h * scale)
                points = q.reshape(-1, 1, 2)
        before = grey
        count += 1
        return box

    return update


def load_stream(chain: str, work: Path, yunet: str) -> Detect:
    """TRACKER or TRACKER+SCORER, which scores every third frame; TRACKER is a detector, flow (of a detector) or csrt."""
    import cv2

    cv2.setNumThreads(1)
    tracker, _, scorer = chain.partition("+")
    if tracker == "csrt":
        track = csrt(load_detector("opencv320", work, yunet))
    elif tracker == "flow":
        track = optical_flow(load_detector("onnxruntime320", work, yunet), 30)
    else:
        track = load_detector(tracker, work, yunet)
    if not scorer:
        return track
    score = load_scorer(scorer, work)
    count = 0

    def run(frame: Any) -> Sequence[float]:
        nonlocal count
        box = track(frame)
        if count % 3 == 0:
            score(frame, box)
        count += 1
        return box

    return run


# ---------------------------------------------------------------- the protocol of worker.cpp
def serve(hello: dict[str, Any], call: Callable[[int], Any], outputs: Callable[[], Any], say: Callable[[dict[str, Any]], None]) -> None:
    import numpy as np

    say(hello)
    for line in sys.stdin:
        match line.split(maxsplit=2):
            case ["run", warm, runs]:
                for i in range(int(warm)):
                    call(i)
                ns = []
                for i in range(int(runs)):
                    start = time.perf_counter_ns()
                    call(i)
                    ns.append(time.perf_counter_ns() - start)
                say({"ms": [v / 1e6 for v in ns]})
            case ["outputs", path]:
                np.asarray(outputs(), np.float32).tofile(path.strip())
                say({"ok": True})
            case _:
                raise RuntimeError(f"unknown command {line}")


def serve_engine(engine: str, work: Path, name: str, inputs: str, say: Callable[[dict[str, Any]], None]) -> None:
    import numpy as np

    shape = json.loads((work / f"{name}.json").read_text())["shape"]
    pool = np.fromfile(inputs, np.float32).reshape(-1, 1, *shape[1:])
    run = LOADERS[engine](work, name)
    run(pool[0])
    serve(
        {"engine": engine},
        lambda i: run(pool[i % len(pool)]),
        lambda: np.concatenate([np.ravel(o) for x in pool for o in [np.array(v) for v in run(x)]]),
        say,
    )


def serve_pipeline(chain: str, work: Path, yunet: str, say: Callable[[dict[str, Any]], None]) -> None:
    import numpy as np

    frame = np.fromfile(work / "frame.bgr", np.uint8).reshape(480, 640, 3)
    run = load_chain(chain, work, yunet, frame)
    run()
    serve({"chain": chain}, lambda i: run(), run, say)


def serve_stream(chain: str, work: Path, yunet: str, say: Callable[[dict[str, Any]], None]) -> None:
    import numpy as np

    film = np.fromfile(work / "film.bgr", np.uint8).reshape(-1, 480, 640, 3)
    run = load_stream(chain, work, yunet)
    at = 0  # counts on over the bursts: the film goes on where it stood

    def step() -> Sequence[float]:
        nonlocal at
        box = run(film[at % len(film)])
        at += 1
        return box

    serve({"chain": chain}, lambda i: step(), lambda: np.array([step() for _ in film]), say)


# ---------------------------------------------------------------- once
def fix_batch(source: str, target: Path) -> list[int]:
    """A copy with batch 1 written down, so that every engine plans for it; returns the input's shape."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    graph = model.graph
    constants = {t.name for t in graph.initializer} | {n.output[0] for n in graph.node if n.op_type == "Constant"}
    inputs = [x for x in graph.input if x.name not in constants]
    for value in [*inputs, *graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del graph.value_info[:]
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] not in constants:  # computed from the batch: a flattening
            node.input[1] = f"{node.name or node.output[0]}_shape"
            graph.initializer.append(numpy_helper.from_array(np.array([1, -1], np.int64), node.input[1]))
    while True:  # what only fed those shapes
        used = {i for n in graph.node for i in n.input} | {o.name for o in graph.output}
        dead = [n for n in graph.node if not used.intersection(n.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]


def prepare(work: Path, nets: dict[str, str]) -> None:
    import subprocess

    import numpy as np
    import onnx

    work.mkdir(parents=True, exist_ok=True)
    call = work / "call.source.onnx"
    if not call.exists():
        value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("in", "out")]
        weight = onnx.numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "weight")
        graph = onnx.helper.make_graph([onnx.helper.make_node("Conv", ["in", "weight"], ["out"])], "call", value[:1], value[1:], [weight])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, call)
        np.zeros((1, 3, 8, 8), np.float32).tofile(work / "call.f32")
    for name, file in (nets | {"call": str(call)}).items():
        fixed = work / f"{name}.onnx"
        shape = fix_batch(file, fixed)
        (work / f"{name}.json").write_text(json.dumps({"shape": shape}))
        if not (work / f"{name}.ncnn.bin").exists():
            # In a folder of its own: pnnx litters beside its input. Weights in fp32, which it does not do by itself.
            folder = work / f"{name}.pnnx"
            folder.mkdir(exist_ok=True)
            (folder / "m.onnx").write_bytes(fixed.read_bytes())
            pnnx = Path(sys.executable).parent / "pnnx"
            inputshape = json.dumps(shape, separators=(",", ":"))
            with open(folder / "log", "w") as log:
                subprocess.run([pnnx, "m.onnx", "fp16=0", f"inputshape={inputshape}"], cwd=folder, check=True, stdout=log, stderr=log)
            for part in ("param", "bin"):
                (folder / f"m.ncnn.{part}").replace(work / f"{name}.ncnn.{part}")
        if not (work / f"{name}.pt").exists():
            import torch

            torch.jit.trace(torch_module(fixed), torch.zeros(*shape)).save(work / f"{name}.pt")
    frame = work / "frame.bgr"
    if not frame.exists():
        import importlib.util

        import cv2

        # The public-domain portrait that scikit-image carries; its upper part fills a 640 x 480 frame with one face.
        found = importlib.util.find_spec("skimage")
        picture = cv2.imread(str(Path(found.origin).parent / "data" / "astronaut.png"))
        cv2.resize(picture[:384], (640, 480), interpolation=cv2.INTER_CUBIC).tofile(frame)
    if not (work / "film.bgr").exists():
        import cv2

        # A second of it by a hand-held camera: the picture moves round an ellipse, with a camera's noise; the end meets the start.
        picture = np.fromfile(frame, np.uint8).reshape(480, 640, 3)
        random = np.random.default_rng(1)
        with open(work / "film.bgr", "wb") as film:
            for t in np.arange(30) * 2 * np.pi / 30:
                shift = np.float32([[1, 0, 15 * np.sin(t)], [0, 1, 8 * np.cos(t)]])
                moved = cv2.warpAffine(picture, shift, (640, 480), borderMode=cv2.BORDER_REFLECT_101)
                film.write(np.clip(moved + random.normal(0, 2, moved.shape), 0, 255).astype(np.uint8).tobytes())


def quantize(work: Path, name: str, inputs: str) -> None:
    import nncf
    import numpy as np
    import openvino

    shape = json.loads((work / f"{name}.json").read_text())["shape"]
    pictures = np.fromfile(inputs, np.float32).reshape(-1, 1, *shape[1:])
    model = openvino.Core().read_model(work / f"{name}.onnx")
    openvino.save_model(nncf.quantize(model, nncf.Dataset(list(pictures)), subset_size=len(pictures)), work / f"{name}.int8.xml")


def first(engine: str, work: Path, nets: list[str]) -> None:
    """What a program does that scores one picture and ends. TorchScript stands in for a program's own modules."""
    import numpy as np

    if engine != "python":
        total = 0.0
        for name in nets:
            shape = json.loads((work / f"{name}.json").read_text())["shape"]
            if engine == "torch":
                import torch

                torch.set_num_threads(1)
                with torch.inference_mode():
                    out = torch.jit.load(work / f"{name}.pt")(torch.zeros(*shape))[0].numpy()
            else:
                out = LOADERS[engine](work, name)(np.zeros(shape, np.float32))[0]
            total += float(np.ravel(out)[0])
        print("score", total, flush=True)
    # The engine's own libraries that are mapped by now, for the size rows.
    package = {"python": "-"}.get(engine, engine)
    mapped = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if line.count("/") > 1}
    ours = [f for f in mapped if f"/site-packages/{package}" in f and ".so" in f]
    print("bytes", sum(os.path.getsize(f) for f in ours), flush=True)


def versions() -> dict[str, str]:
    from importlib.metadata import version

    names = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "torch": "LibTorch",
             "opencv-contrib-python-headless": "OpenCV"}  # fmt: skip
    return {key: f"{name} {version(key)}" for key, name in names.items()}


def main(arguments: list[str]) -> None:
    # Engines print; the protocol keeps a descriptor of its own.
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    served = arguments[0] in ("engine", "pipeline", "stream")
    if served:
        os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        protocol.write(json.dumps(message) + "\n")

    try:
        match arguments:
            case ["prepare", work, *nets]:
                prepare(Path(work), dict(n.split("=", 1) for n in nets))
            case ["quantize", work, name, inputs]:
                quantize(Path(work), name, inputs)
            case ["engine", engine, work, name, inputs]:
                serve_engine(engine, Path(work), name, inputs, say)
            case ["pipeline", chain, work, yunet]:
                serve_pipeline(chain, Path(work), yunet, say)
            case ["stream", chain, work, yunet]:
                serve_stream(chain, Path(work), yunet, say)
            case ["first", engine, work, *nets]:
                first(engine, Path(work), nets)
            case ["versions"]:
                say(versions())
            case _:
                sys.exit(__doc__)
    except Exception as e:
        if not served:
            raise
        say({"error": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    main(sys.argv[1:])
