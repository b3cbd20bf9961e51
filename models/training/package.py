"""Model packages in PyTorch: read one into a module, run it, write it back.

docs/model_format.md describes the file. Needs numpy and torch.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DTYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8}


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The document and all tensors; weights in fewer bits become float32."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    document = json.loads(header.pop("__metadata__")["liveness"])
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + o for o in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    for name in [n for n, t in tensors.items() if t.dtype == np.int8]:
        whole, scale = tensors[name], tensors.pop(name + ".scale")
        axis = 1 if whole.ndim == 2 else 0
        tensors[name] = whole * scale.reshape([-1 if i == axis else 1 for i in range(whole.ndim)])
    return document, {n: t.astype(np.float32) if t.dtype == np.float16 else t for n, t in tensors.items()}


def write(path: str | Path, document: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """float32, float16 and uint8 tensors; wide ones come first, so that each stays on a boundary of its own size."""
    header: dict[str, Any] = {"__metadata__": {"liveness": json.dumps(document)}}
    parts, at = [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        raw = np.ascontiguousarray(tensor).tobytes()
        dtype = next(d for d, t in DTYPES.items() if t == tensor.dtype)
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def to_values(pixels: np.ndarray, contract: dict[str, Any]) -> torch.Tensor:
    """uint8 (batch, height, width, channels) in the network's colour order to what it reads (batch, channels, ...)."""
    given = contract["input"]
    low, high = given["range"]
    mean, std = (torch.tensor(given[k], dtype=torch.float32) for k in ("mean", "std"))
    values = torch.from_numpy(np.array(pixels)).float() / 255 * (high - low) + low
    return ((values - mean) / std).permute(0, 3, 1, 2).contiguous()


class Network(nn.Module):
    """A package's graph. forward(): (batch, channels, height, width) to a dict of the graph's outputs by name."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.document, tensors = read(path)
        self.graph = self.document["graph"]
        self.contract = self.document["contract"]
        self.goldens = {n: t for n, t in tensors.items() if n.startswith("golden.")}
        # Means and variances of a batch norm are statistics and not learned. Names of modules may hold no dots.
        fixed = {o["tensor"] for n in self.graph["nodes"] if n["op"] == "batch_norm" for o in n["inputs"][3:]}
        self.names = {n: f"t{i}" for i, n in enumerate(tensors) if n not in self.goldens}
        for name, own in self.names.items():
            value = torch.from_numpy(tensors[name].copy())
            self.register_parameter(own, nn.Parameter(value, requires_grad=name not in fixed))

    def constant(self, name: str) -> torch.Tensor:
        return getattr(self, self.names[name])

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        values = {self.graph["inputs"][0]["name"]: x}
        for node in self.graph["nodes"]:
            operands = [
                None if o is None else values[o] if isinstance(o, str) else self.constant(o["tensor"])
                for o in node["inputs"]
            ]
            values[node["output"]] = OPERATORS[node["op"]](node.get("attributes", {}), *operands)
        return {name: values[name] for name in self.graph["outputs"]}

    def save(self, path: str | Path) -> None:
        """Writes the package with the present weights in fp32; golden outputs are made anew, claims are withdrawn."""
        tensors = {n: getattr(self, own).detach().cpu().numpy() for n, own in self.names.items()}
        document = json.loads(json.dumps(self.document))
        document["contract"].pop("qualified", None)
        document["contract"].pop("source_sha256", None)
        for golden in document["goldens"]:
            pixels = tensors[golden["pixels"]] = self.goldens[golden["pixels"]]
            block = self.contract["input"]["height"] // len(pixels)  # a pixel may stand for a square of equal ones
            pixels = pixels.repeat(block, 0).repeat(block, 1)
            with torch.no_grad():
                outputs = self(to_values(pixels[None], self.contract).to(next(self.parameters()).device))
            for name, stored in golden["outputs"].items():
                whole, old = outputs[name].cpu().numpy(), self.goldens[stored]
                some = np.arange(old.size) * whole.size // old.size  # all, or as many as were kept
                tensors[stored] = whole.ravel()[some].reshape(old.shape)
        write(path, document, tensors)


def _sides(pads: list[int]) -> list[int]:
    top, left, bottom, right = pads
    return [left, right, top, bottom]


def _conv(a: dict[str, Any], x, weight, bias=None):
    x = F.pad(x, _sides(a.get("pads", [0] * 4)))
    return F.conv2d(x, weight, bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def _conv_transpose(a: dict[str, Any], x, weight, bias=None):
    # output_padding below the stride is asked for by torch; more comes from padding, of which pads are cut off again.
    y = F.conv_transpose2d(x, weight, bias, a.get("strides", 1), 0, 0, a.get("group", 1), a.get("dilations", 1))
    top, left, bottom, right = a.get("pads", [0] * 4)
    more_y, more_x = a.get("output_padding", [0, 0])
    border = 0 if bias is None else bias[:, None, None]
    y = F.pad(y - border, [0, more_x, 0, more_y]) + border
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def _max_pool(a: dict[str, Any], x):
    x = F.pad(x, _sides(a.get("pads", [0] * 4)), value=-math.inf)
    return F.max_pool2d(x, a["kernel"], a.get("strides", [1, 1]), 0, a.get("dilations", 1))


def _average_pool(a: dict[str, Any], x):
    sides, kernel, strides = _sides(a.get("pads", [0] * 4)), a["kernel"], a.get("strides", [1, 1])
    total = F.avg_pool2d(F.pad(x, sides), kernel, strides)
    if a.get("count_include_pad", 0):
        return total
    return total / F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), sides), kernel, strides)


def _resize_axis(a: dict[str, Any], x: torch.Tensor, axis: int, scale: float, size: int) -> torch.Tensor:
    n = x.shape[axis]
    at = torch.arange(size, dtype=torch.float64, device=x.device)
    if a["transform"] == "half_pixel":
        at = (at + 0.5) / scale - 0.5
    elif a["transform"] == "align_corners":
        at = at * (n - 1) / (size - 1) if size > 1 else at * 0
    else:
        at = at / scale
    if a["mode"] == "nearest":
        rounding = {
            "floor": torch.floor,
            "ceil": torch.ceil,
            "round_prefer_floor": lambda v: torch.ceil(v - 0.5),
            "round_prefer_ceil": lambda v: torch.floor(v + 0.5),
        }[a["rounding"]]
        return x.index_select(axis, rounding(at).long().clamp(0, n - 1))
    at = at.clamp(0, n - 1)
    low = at.floor().long()
    part = (at - low).float().reshape([-1 if i == axis else 1 for i in range(4)])
    high = (low + 1).clamp(max=n - 1)
    return x.index_select(axis, low) * (1 - part) + x.index_select(axis, high) * part


def _resize(a: dict[str, Any], x):
    sizes = a.get("sizes") or [math.floor(s * n) for s, n in zip(a["scales"], x.shape[2:], strict=True)]
    for axis in (2, 3):
        x = _resize_axis(a, x, axis, a["scales"][axis - 2], sizes[axis - 2])
    return x


def _slice(a: dict[str, Any], x):
    for i, axis in enumerate(a["axes"]):
        step = a["steps"][i] if "steps" in a else 1
        x = x[(slice(None),) * axis + (slice(a["starts"][i], a["ends"][i], step),)]
    return x


def _pad(a: dict[str, Any], x):
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[a.get("mode", "constant")]
    n = len(a["pads"]) // 2
    sides = [p for axis in reversed(range(n)) for p in (a["pads"][axis], a["pads"][axis + n])]
    if mode == "constant":
        return F.pad(x, sides, value=a.get("value", 0))
    return F.pad(x, sides[: 2 * (n - 2)], mode)  # torch pads batch and channels with constants alone


def _prelu(a: dict[str, Any], x, slope):
    return F.prelu(x, slope)


def _batch_norm(a: dict[str, Any], x, scale, bias, mean, variance):
    return F.batch_norm(x, mean, variance, scale, bias, False, 0, a.get("epsilon", 1e-5))


def _linear(a: dict[str, Any], x, weight, bias=None):
    y = x @ weight
    return y if bias is None else y + bias


OPERATORS = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "batch_norm": _batch_norm,
    "prelu": _prelu,
    "relu": lambda a, x: F.relu(x),
    "leaky_relu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "clip": lambda a, x: x.clamp(a.get("min"), a.get("max")) if a else x,
    "sigmoid": lambda a, x: torch.sigmoid(x),
    "hard_sigmoid": lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "hard_swish": lambda a, x: x * (x / 6 + 0.5).clamp(0, 1),
    "tanh": lambda a, x: torch.tanh(x),
    "softmax": lambda a, x: torch.softmax(x, a["axis"]),
    "add": lambda a, x, y: x + y,
    "sub": lambda a, x, y: x - y,
    "mul": lambda a, x, y: x * y,
    "div": lambda a, x, y: x / y,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "global_average_pool": lambda a, x: x.mean((2, 3), keepdim=True),
    "global_max_pool": lambda a, x: x.amax((2, 3), keepdim=True),
    "reduce_mean": lambda a, x: x.mean(a["axes"], keepdim=bool(a.get("keepdims", 1))),
    "linear": _linear,
    "reshape": lambda a, x: x.reshape(x.shape[0], *a["shape"][1:]),
    "transpose": lambda a, x: x.permute(a["perm"]),
    "concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "slice": _slice,
    "pad": _pad,
    "resize": _resize,
}
