#!/usr/bin/env python3
"""A checkpoint becomes a package: norms folded, contract, golden inputs, fp16, precisions that pass the gate.

  export.py --work WORK [--name default] --out models/pad_default.safetensors [--version 2]

The contract's scores are calibrated by WORK/NAME.json (calibrate.py), which is a slope and a bias of the log-odds
and the thresholds of the profiles.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import liveness
import numpy as np
import torch
from liveness import optimize
from network import MEAN, SLOPE, STD, Student, trained
from origins import SETS, names
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
import package  # noqa: E402

GATE = {"max_flips": 0.005, "max_score": 0.01}  # the bound on flips


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * gain[:, None, None, None]
    return weight.detach().numpy(), (norm.bias - norm.running_mean * gain).detach().numpy()


def graph(student: Student, slope: float, bias: float) -> tuple[dict, dict[str, np.ndarray]]:
    """The network's nodes and weights; the calibration goes into the last layer: scores are softmax of its outputs."""
    nodes: list[dict] = []
    tensors: dict[str, np.ndarray] = {}

    def node(op: str, name: str, inputs: list, **attributes: object) -> str:
        made = {"op": op, "name": name, "inputs": inputs, "output": name}
        nodes.append(made | ({"attributes": attributes} if attributes else {}))
        return name

    def constant(name: str, value: np.ndarray) -> dict[str, str]:
        tensors[name] = np.ascontiguousarray(value, np.float32)
        return {"tensor": name}

    def convolution(name: str, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
        weight, offset = folded(conv, norm)
        inputs = [x, constant(f"{name}.weight", weight), constant(f"{name}.bias", offset)]
        return node("conv", name, inputs, strides=list(conv.stride), pads=[conv.padding[0]] * 4, group=conv.groups)

    def leaky(name: str, x: str) -> str:
        return node("leaky_relu", name, [x], alpha=SLOPE)

    x = "image"
    for i, step in enumerate(student.steps):
        y = convolution(f"conv{i}", x, step.first, step.norm)
        if step.second is not None:
            y = convolution(f"conv{i}b", leaky(f"act{i}", y), step.second, step.norm2)
        if step.skip:
            y = node("add", f"sum{i}", [y, x])
        x = leaky(f"act{i}" if step.second is None else f"act{i}b", y)
    x = convolution("places", x, student.places, student.norm)
    x = node("reshape", "flat", [x], shape=[1, student.head.in_features])
    weight = student.head.weight.detach().numpy().T * slope
    offset = student.head.bias.detach().numpy() * slope + np.float32([0, bias, 0])
    x = node("linear", "logits", [x, constant("head.weight", weight), constant("head.bias", offset)])
    return {"inputs": [{"name": "image", "shape": [1, 3, 80, 80]}], "outputs": [x], "nodes": nodes}, tensors


def noise_pictures(count: int) -> list[np.ndarray]:
    """Made-up blocks, no faces: 20 x 20 pixels, each of which stands for 4 x 4 of the input."""
    r = np.random.default_rng(7)
    cells = [r.integers(0, 256, (20 // c, 20 // c, 3)) for c in (1, 2, 5, 10)]
    return [np.kron(cell, np.ones((20 // len(cell),) * 2 + (1,))).astype(np.uint8) for cell in cells[:count]]


def contract(name: str, version: str, calibration: dict, about: str) -> dict:
    return {
        "name": f"pad_{name}",
        "version": version,
        "task": "pad",
        "input": {
            "width": 80, "height": 80, "color": "bgr",
            "range": [0.0, 255.0], "mean": [MEAN] * 3, "std": [STD] * 3,
        },
        "crop": {
            "scale": 4.0, "square": False, "border": "shift", "enlarge": "bilinear", "shrink": "bilinear",
            "box": "retinaface", "from": {"yunet": {"width": [0, 0.85], "height": [0, 0.85], "shift": [0, 0.067]}},
        },
        "score": {
            "output": "logits", "classes": ["spoof_0", "live", "spoof_2"], "live": 1, "softmax_inside": False,
            "temperature": 1.0, "profiles": calibration["profiles"],
        },
        "licence": "Apache-2.0",
        "provenance": about,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="default")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="2")
    args = parser.parse_args()
    student, saved = trained(args.work / f"{args.name}.pt")
    calibration = json.loads((args.work / f"{args.name}.json").read_text())
    if set(names(saved["origins"])) & set(SETS):
        whose = (
            "public portraits, simulated attacks, faceless pictures and the training parts of NUAA, Replay-Attack and "
            "CASIA-FASD (research sets), without labels"
        )
    else:
        whose = (
            "public portraits, simulated attacks and faceless pictures, without labels; no picture of NUAA, "
            "Replay-Attack or CASIA-FASD was a view"
        )
    about = (
        "Made by models/training/pad: learned what MiniFASNetV1SE (minivision-ai/Silent-Face-Anti-Spoofing, "
        f"Apache-2.0) computes on {saved['curve'][-1]['views']} views of {whose}. Slope, bias and thresholds from "
        f"labelled parts of these three that gave no views. See models/pad_{args.name}.md."
    )
    made, tensors = graph(student, calibration["slope"], calibration["bias"])
    document = {
        "format": 1,
        "contract": contract(args.name, args.version, calibration, about),
        "graph": made,
        "goldens": [],
    }
    for i, pixels in enumerate(noise_pictures(4)):
        stored = {"pixels": f"golden.{i}.pixels", "outputs": {"logits": f"golden.{i}.logits"}, "tolerance": 0.01}
        document["goldens"].append(stored)
        tensors[f"golden.{i}.pixels"] = pixels
        tensors[f"golden.{i}.logits"] = np.zeros((1, 3), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.safetensors"
        package.write(plain, document, tensors)
        package.Network(plain).save(plain)  # golden outputs
        model = liveness.Model(plain, precision="fp32")
        samples = optimize.Samples(model)
        for name in SETS:  # the parts that calibration used: bona fide and attacks
            with np.load(args.work / f"train_{name}.npz") as data:
                for crop, label in zip(data["crops"], data["labels"], strict=True):
                    samples.add(crop, color="bgr", label="bona_fide" if label else "attack")
        report = optimize.quantize(
            plain, args.out, storage="fp16", qualify=["bf16", "int8"], samples=samples, sensitive=0.4, **GATE
        )
    for q in report.qualifications:
        print(q.precision, "passed" if q.passed else f"missed: {q.reason}", f"flips {q.drift.flips:.4f}")
    shipped = liveness.Model(args.out)
    print(
        f"{args.out}: {args.out.stat().st_size} bytes, goldens within {shipped.verify():.2g}, {shipped.contract.get('qualified')}"
    )


if __name__ == "__main__":
    main()
