#!/usr/bin/env python3
"""The torch backend on accelerators beside PyTorch itself, on the same card, in turn, in one process.

  gpu.py --library libliveness_c.so --plugin libliveness_torch.so --conformance FILE --json FILE PACKAGE...

Eager PyTorch and TorchScript run the package's own graph in fp16, channels last, from uint8 pixels on the host to logits on the
host, as the backend does; theirs is the usual code: upload, normalise, network, download. Without an accelerator the CPU takes its
place, with fewer rounds, so that the script itself is tested. Needs PyTorch and nothing else. The result holds the conformance
report too, which `--conformance` names.
"""

import argparse
import ctypes
import json
import statistics
import struct
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


class Package:
    """A model package, read as docs/model_format.md says."""

    def __init__(self, path):
        data = Path(path).read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        document = json.loads(header.pop("__metadata__")["liveness"])
        self.contract, self.graph = document["contract"], document["graph"]
        self.tensors = {}
        kinds = {"F32": torch.float32, "F16": torch.float16, "I8": torch.int8, "U8": torch.uint8}
        for name, t in header.items():
            begin, end = t["data_offsets"]
            raw = torch.frombuffer(bytearray(data[8 + size + begin : 8 + size + end]), dtype=kinds[t["dtype"]])
            self.tensors[name] = raw.reshape(t["shape"])

    def weight(self, name, axis):
        tensor = self.tensors[name].float()
        scale = self.tensors.get(name + ".scale")
        if scale is not None:
            tensor = tensor * scale.reshape([-1 if i == axis else 1 for i in range(tensor.dim())])
        return tensor


class Eager(nn.Module):
    """The graph, one PyTorch call a node; pixels in, logits out."""

    def __init__(self, package):
        super().__init__()
        c = package.contract["input"]
        low, high = c["range"]
        mean, std = (torch.tensor(c[k]).reshape(1, -1, 1, 1) for k in ("mean", "std"))
        self.register_buffer("factor", (high - low) / 255 / std)
        self.register_buffer("offset", (low - mean) / std)
        self.values = [package.graph["inputs"][0]["name"]]
        self.outputs = package.graph["outputs"]
        self.nodes = []
        for i, node in enumerate(package.graph["nodes"]):
            names = []
            for k, operand in enumerate(node["inputs"]):
                if isinstance(operand, dict):
                    axis = 1 if node["op"] == "linear" else 0
                    self.register_buffer(f"w{i}_{k}", package.weight(operand["tensor"], axis))
                    names.append(f"w{i}_{k}")
                else:
                    names.append(operand)
            self.nodes.append((node["op"], names, node["output"], node.get("attributes", {})))

    def step(self, op, x, a):
        if op == "conv":
            top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
            image, padding = x[0], [top, left]
            if (top, left) != (bottom, right):
                image, padding = F.pad(x[0], [left, right, top, bottom]), [0, 0]
            return F.conv2d(image, x[1], x[2] if len(x) > 2 else None, a.get("strides", [1, 1]), padding, a.get("dilations", [1, 1]), a.get("group", 1))
        if op == "batch_norm":
            return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=a.get("epsilon", 1e-5))
        if op == "max_pool":
            top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
            return F.max_pool2d(F.pad(x[0], [left, right, top, bottom], value=float("-inf")), a["kernel"], a.get("strides", [1, 1]))
        if op == "reshape":
            return x[0].reshape(x[0].shape[0], *a["shape"][1:])
        if op == "linear":
            y = x[0] @ x[1]
            return y + x[2] if len(x) > 2 else y
        if op == "transpose":
            return x[0].permute(a["perm"])
        if op == "resize" and a.get("mode", "nearest") == "nearest":
            return F.interpolate(x[0], scale_factor=a["scales"], mode="nearest")
        simple = {
            "prelu": lambda: F.prelu(x[0], x[1].flatten()),
            "relu": lambda: F.relu(x[0]),
            "sigmoid": lambda: torch.sigmoid(x[0]),
            "hard_sigmoid": lambda: (x[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
            "hard_swish": lambda: F.hardswish(x[0]),
            "add": lambda: x[0] + x[1],
            "sub": lambda: x[0] - x[1],
            "mul": lambda: x[0] * x[1],
            "div": lambda: x[0] / x[1],
            "global_average_pool": lambda: x[0].mean((2, 3), keepdim=True),
            "softmax": lambda: torch.softmax(x[0], a["axis"]),
            "concat": lambda: torch.cat(x, a["axis"]),
        }
        if op not in simple:
            raise NotImplementedError(f"{op} has no baseline here")
        return simple[op]()

    def forward(self, pixels):
        weights = dict(self.named_buffers())
        x = pixels.permute(0, 3, 1, 2).to(self.factor.dtype) * self.factor + self.offset
        values = {self.values[0]: x.contiguous(memory_format=torch.channels_last)}
        for op, names, output, attributes in self.nodes:
            operands = [weights[n] if n in weights else values[n] for n in names if n is not None]
            values[output] = self.step(op, operands, attributes)
        return [values[name].float() for name in self.outputs]


class Options(ctypes.Structure):
    """liveness_model_options_t, as far as it is set here; an older caller's shorter struct is accepted."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32), ("isa", ctypes.c_int32), ("verify", ctypes.c_int32), ("reserved", ctypes.c_int32),
        ("contract", ctypes.c_char_p), ("precision", ctypes.c_int32), ("backend", ctypes.c_int32), ("device", ctypes.c_char_p),
        ("plugin", ctypes.c_char_p), ("allow_code", ctypes.c_int32), ("reserved2", ctypes.c_int32),
    ]  # fmt: skip


FP32, FP16, TORCH = 1, 4, 2


class Ours:
    def __init__(self, library, plugin, package, device, precision):
        self.library = library
        options = Options()
        library.liveness_model_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.backend, options.precision = TORCH, precision
        options.device, options.plugin = device.encode(), str(plugin).encode()
        self.model = ctypes.c_void_p()
        self.check(library.liveness_model_load(str(package).encode(), ctypes.byref(options), ctypes.byref(self.model)))
        text = ctypes.create_string_buffer(1 << 20)
        self.check(library.liveness_model_describe(self.model, text, ctypes.c_size_t(len(text)), None))
        self.about = json.loads(text.value)
        self.sizes = []
        for i in range(len(self.about["outputs"])):
            size = ctypes.c_size_t()
            self.check(library.liveness_model_output_size(self.model, i, ctypes.byref(size)))
            self.sizes.append(size.value)
        self.buffers = {}

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.liveness_last_error().decode())

    def __call__(self, pixels):
        batch = pixels.shape[0]
        if batch not in self.buffers:
            tensors = [torch.empty(batch, n) for n in self.sizes]
            places = (ctypes.c_void_p * len(tensors))(*[t.data_ptr() for t in tensors])
            counts = (ctypes.c_size_t * len(tensors))(*[t.numel() for t in tensors])
            self.buffers[batch] = tensors, places, counts
        tensors, places, counts = self.buffers[batch]
        self.check(self.library.liveness_model_run_pixels(
            self.model, ctypes.c_void_p(pixels.data_ptr()), ctypes.c_size_t(pixels.numel()), places, counts,
            ctypes.c_size_t(len(tensors)), batch, 1))  # fmt: skip
        return tensors


def measure(ways, pixels, rounds, burst):
    """Medians of milliseconds by way, in turn."""
    times = {name: [] for name in ways}
    for name, way in ways.items():
        for _ in range(5):
            way(pixels)
    for i in range(rounds):
        names = list(ways)
        for name in names[i % len(names) :] + names[: i % len(names)]:
            for _ in range(burst):
                start = time.perf_counter()
                ways[name](pixels)
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(t) for name, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+", type=Path)
    for name in ("library", "plugin", "conformance", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    library = ctypes.CDLL(str(arguments.library))
    library.liveness_last_error.restype = ctypes.c_char_p
    gpu = torch.cuda.is_available()
    device = "cuda:0" if gpu else "cpu"
    kind = torch.float16 if gpu else torch.float32
    if not gpu:
        torch.set_num_threads(1)  # a pass of ours is one thread's
    rounds, burst = (40, 25) if gpu else (3, 2)
    rows, problems = [], []
    for path in arguments.packages:
        try:
            package = Package(path)
            ours = Ours(library, arguments.plugin, path, device, FP16 if gpu else FP32)
            net = Eager(package).eval().to(device=device, dtype=kind, memory_format=torch.channels_last)
            c = package.contract["input"]
            channels = 1 if c["color"] == "gray" else 3
            example = torch.randint(0, 256, (1, c["height"], c["width"], channels), dtype=torch.uint8)
            with torch.inference_mode():
                script = torch.jit.freeze(torch.jit.trace(net, example.to(device), check_trace=False))

                def whole(f):
                    return lambda pixels: [y.cpu() for y in f(pixels.to(device, non_blocking=True))]

                ways = {"ours": ours, "eager": whole(net), "torchscript": whole(script)}
                for batch in (1, 8, 64) if gpu else (1, 8):
                    pixels = torch.randint(0, 256, (batch, c["height"], c["width"], channels), dtype=torch.uint8)
                    found = torch.cat([t.flatten() for t in ours(pixels)])
                    wanted = torch.cat([t.flatten() for t in ways["eager"](pixels)])
                    ms = measure(ways, pixels, rounds, burst)
                    rows.append({
                        "network": package.contract["name"], "batch": batch, "device": ours.about["device"], "fallback": ours.about["fallback"],
                        "precision": ours.about["precision"], "ms": ms, "images_per_second": {k: 1e3 * batch / v for k, v in ms.items()},
                        "against_eager": ms["eager"] / ms["ours"], "against_torchscript": ms["torchscript"] / ms["ours"],
                        "difference": float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1)),
                    })  # fmt: skip
                    print(f"{package.contract['name']:20} batch {batch:3} on {ours.about['device']}: ours {ms['ours']:.3f} ms, eager {ms['eager']:.3f}, "
                          f"TorchScript {ms['torchscript']:.3f} ({rows[-1]['against_eager']:.2f}x, {rows[-1]['against_torchscript']:.2f}x), "
                          f"difference {rows[-1]['difference']:.2g}")  # fmt: skip
        except (RuntimeError, NotImplementedError) as error:
            problems.append(f"{path}: {error}")
            print(problems[-1])
    if not gpu:
        print("no GPU here: the figures above are the CPU's, a test of this script and no more")
    document = {
        "machine": torch.cuda.get_device_name(0) if gpu else "no GPU",
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "conformance": json.loads(arguments.conformance.read_text()),
        "benchmark": rows,
        "problems": problems,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if problems or document["conformance"]["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
