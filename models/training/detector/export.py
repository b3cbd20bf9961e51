#!/usr/bin/env python3
"""Writes the package of a checkpoint: BatchNorm folded, weights in fp16, one golden input that shows nobody's face.

export.py RUN/checkpoint.pt -o face_detector.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from network import MEAN, STD, STRIDES, Detector, decode, fused
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import package  # noqa: E402

WIDTH, HEIGHT = 320, 240
BLOCK = 4  # each pixel of the golden input stands for so many by so many
LISTED = 256  # values kept of each expected output

CONTRACT: dict[str, Any] = {
    "name": "face_detector",
    "version": "1",
    "task": "detector",
    "input": {"width": WIDTH, "height": HEIGHT, "color": "gray", "range": [0, 255], "mean": [MEAN], "std": [STD]},
    "detector": {
        "decode": "grid",
        "strides": list(STRIDES),
        "outputs": {"map": [f"map_{s}" for s in STRIDES]},
        "score_threshold": 0.5,
        "nms_iou": 0.3,
        "nms_average": True,
        "box": "yunet",
        "tracking": {"window": 144, "window_scale": 1.6},
    },
    "licence": "Apache-2.0",
    "provenance": "Trained by models/training/detector to answer as YuNet (MIT) does; models/face_detector.md.",
}


class Graph:
    """Nodes and weights as docs/model_format.md has them."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.tensors: dict[str, np.ndarray] = {}

    def add(self, op: str, name: str, inputs: list[Any], **attributes: Any) -> str:
        self.nodes.append({"op": op, "name": name, "inputs": inputs, "output": name, "attributes": attributes})
        return name

    def conv(self, name: str, x: str, module: nn.Conv2d) -> str:
        assert module.bias is not None
        self.tensors[f"{name}.weight"] = module.weight.detach().numpy().astype(np.float16)
        self.tensors[f"{name}.bias"] = module.bias.detach().numpy().astype(np.float16)
        inputs = [x, {"tensor": f"{name}.weight"}, {"tensor": f"{name}.bias"}]
        pad = int(module.padding[0])
        return self.add("conv", name, inputs, strides=list(module.stride), pads=[pad] * 4, group=module.groups)

    def chain(self, name: str, x: str, module: nn.Module) -> str:
        """The convolutions and ReLUs of a fused module, in order."""
        number = 0
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                number += 1
                x = self.conv(f"{name}_{number}", x, part)
            elif isinstance(part, nn.ReLU):
                x = self.add("relu", f"{name}_{number}_relu", [x])
        return x


def graph_of(net: Detector) -> Graph:
    g = Graph()
    fine = g.chain("fine", g.chain("stem", "image", net.stem), net.fine)
    coarse = g.chain("coarse", fine, net.coarse)
    lateral = g.chain("lateral", coarse, net.lateral)
    scaled = {"mode": "nearest", "transform": "asymmetric", "rounding": "floor", "scales": [2.0, 2.0]}
    fine = g.add("add", "merged", [fine, g.add("resize", "enlarged", [lateral], **scaled)])
    for stride, x, head in zip(STRIDES, (fine, coarse), net.heads, strict=True):
        g.conv(f"map_{stride}", x, head)
    return g


def drawn_face(h: int, w: int) -> np.ndarray:
    """A face of six ellipses on waves: nobody's, and enough that every head has something to say."""
    y, x = np.mgrid[:h, :w].astype(np.float64)
    image = 120 + 50 * np.sin(x / 5 + np.sin(y / 9)) * np.cos(y / 7)

    def ellipse(cx: float, cy: float, rx: float, ry: float, level: float) -> None:
        image[((x - cx * w) / (rx * w)) ** 2 + ((y - cy * h) / (ry * h)) ** 2 < 1] = level

    ellipse(0.4, 0.48, 0.17, 0.36, 190)
    for side in (-1, 1):
        ellipse(0.4 + side * 0.07, 0.4, 0.033, 0.03, 60)
    ellipse(0.4, 0.52, 0.02, 0.06, 160)
    ellipse(0.4, 0.66, 0.07, 0.03, 90)
    ellipse(0.4, 0.14, 0.16, 0.1, 40)
    return image.clip(0, 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.5, help="the contract's score_threshold")
    parser.add_argument(
        "--spread", type=float, default=1.0, help="times the logits: a student is less sure than its teacher"
    )
    args = parser.parse_args()
    stored = torch.load(args.checkpoint)
    net = Detector()
    net.load_state_dict(stored["average"])
    net = fused(net)
    with torch.no_grad():
        for head in net.heads:
            head.weight[0] *= args.spread
            head.bias[0] *= args.spread
    CONTRACT["detector"]["score_threshold"] = args.threshold
    graph = graph_of(net)

    pixels = drawn_face(HEIGHT // BLOCK, WIDTH // BLOCK)
    tensors = graph.tensors | {"golden.pixels": pixels[..., None]}
    outputs = [f"map_{s}" for s in STRIDES]
    golden = {"pixels": "golden.pixels", "outputs": {n: f"golden.{n}" for n in outputs}, "tolerance": 0.001}
    document = {
        "format": 1,
        "contract": CONTRACT,
        "graph": {
            "inputs": [{"name": "image", "shape": [1, 1, HEIGHT, WIDTH]}],
            "outputs": outputs,
            "nodes": graph.nodes,
        },
        "goldens": [golden],
    }
    # Written twice: the expected outputs are those of the rounded weights, as they are read back.
    package.write(args.out, document, tensors | {f"golden.{n}": np.zeros(1, np.float32) for n in outputs})
    image = np.kron(pixels, np.ones((BLOCK, BLOCK), np.uint8))
    values = (torch.from_numpy(image)[None, None].float() - MEAN) / STD
    with torch.no_grad():
        found = package.Network(args.out)(values)
        exact = net(values)
    for name in outputs:
        flat = found[name].flatten().numpy()
        tensors[f"golden.{name}"] = flat[np.arange(LISTED) * len(flat) // LISTED]
    package.write(args.out, document, tensors)

    off = max(float((found[n] - e).abs().max()) for n, e in zip(outputs, exact, strict=True))
    best = decode(tuple(found[n] for n in outputs))[0]
    best = best[best[:, 4].argmax()]
    print(f"{args.out}: {args.out.stat().st_size} bytes, {stored['step']} steps, {stored['pictures']} pictures")
    print(f"fp16 moves outputs by at most {off:.4f}; golden input: score {float(best[4].sigmoid()):.2f}")


if __name__ == "__main__":
    main()
