#!/usr/bin/env python3
"""Mends a pruned package: trains it to answer as the unpruned one does, on pictures that need no labels.

  finetune.py PRUNED.safetensors --teacher FULL.safetensors --pictures CROPS -o OUT.safetensors
  finetune.py FULL.safetensors --teacher FULL.safetensors --pictures CROPS --gradients OUT.safetensors

CROPS: a folder of pictures in the network's own size (needs Pillow), or a .npy file with uint8 (count, height, width,
channels) in the network's colour order. The second form only writes the gradient of each weight, for `liveness prune
--gradients`: with labels (--labels, a .npy file with a class index a crop) that of the cross entropy, otherwise that of
the squared outputs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
import package  # noqa: E402


def read_crops(path: Path, contract: dict) -> np.ndarray:
    given = contract["input"]
    shape = (given["height"], given["width"], 1 if given["color"] == "gray" else 3)
    if path.suffix == ".npy":
        crops = np.load(path)
    else:
        from PIL import Image

        mode = "L" if given["color"] == "gray" else "RGB"
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp"))
        if not files:
            sys.exit(f"{path}: no pictures")
        crops = np.stack([np.asarray(Image.open(f).convert(mode)).reshape(-1, *shape[1:]) for f in files])
        if given["color"] == "bgr":
            crops = crops[..., ::-1]
    if crops.dtype != np.uint8 or crops.shape[1:] != shape:
        sys.exit(f"{path}: {crops.dtype} {crops.shape[1:]}, the network takes uint8 {shape}")
    return crops


def augmented(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrored, brighter or darker: the teacher sees the same, so that no label can become wrong."""
    if torch.rand(1, generator=generator) < 0.5:
        x = x.flip(3)
    return x * (0.8 + 0.4 * torch.rand(len(x), 1, 1, 1, generator=generator))


def distance(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean squared difference of the outputs, each relative to how much the teacher's varies."""
    return sum(F.mse_loss(found[n], w) / w.var(unbiased=False).clamp(min=1e-6) for n, w in wanted.items()) / len(wanted)


def train(student, teacher, crops: np.ndarray, *, epochs: int, batch: int, rate: float, seed: int) -> list[float]:
    """Returns the mean distance before the first and after each epoch."""
    generator = torch.Generator().manual_seed(seed)
    weights = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=1e-4)
    steps = epochs * ((len(crops) + batch - 1) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))

    def mean_distance() -> float:
        with torch.no_grad():
            parts = [package.to_values(crops[i : i + batch], teacher.contract) for i in range(0, len(crops), batch)]
            return float(np.mean([float(distance(student(x), teacher(x))) for x in parts]))

    history = [mean_distance()]
    for epoch in range(epochs):
        for picked in torch.randperm(len(crops), generator=generator).split(batch):
            x = augmented(package.to_values(crops[picked.numpy()], teacher.contract), generator)
            with torch.no_grad():
                wanted = teacher(x)
            optimizer.zero_grad()
            distance(student(x), wanted).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
        history.append(mean_distance())
        print(f"epoch {epoch + 1}: distance {history[-1]:.5f}", flush=True)
    return history


def gradients(network, crops: np.ndarray, labels: np.ndarray | None, batch: int) -> dict[str, np.ndarray]:
    output = network.contract["score"]["output"] if "score" in network.contract else network.graph["outputs"][0]
    for i in range(0, len(crops), batch):
        scores = network(package.to_values(crops[i : i + batch], network.contract))[output]
        if labels is None:
            loss = scores.square().sum() / len(crops)
        else:
            loss = F.cross_entropy(scores, torch.from_numpy(labels[i : i + batch]).long(), reduction="sum") / len(crops)
        loss.backward()
    found = {name: network.constant(name).grad for name in network.names}
    return {name: g.numpy() for name, g in found.items() if g is not None}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--gradients", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if (args.out is None) == (args.gradients is None):
        parser.error("either --out or --gradients")
    torch.manual_seed(args.seed)
    student = package.Network(args.student)
    teacher = package.Network(args.teacher).requires_grad_(False)
    crops = read_crops(args.pictures, teacher.contract)
    if args.gradients is not None:
        labels = None if args.labels is None else np.load(args.labels)
        header = {"network": str(args.student.name)}
        package.write(args.gradients, header, gradients(student, crops, labels, args.batch))
        return 0
    history = train(student, teacher, crops, epochs=args.epochs, batch=args.batch, rate=args.rate, seed=args.seed)
    student.document["contract"]["provenance"] += f" Fine-tuned to answer as {teacher.contract['name']} did before."
    student.save(args.out)
    print(f"{args.out}: distance {history[0]:.5f} -> {history[-1]:.5f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
