#!/usr/bin/env python3
"""Trains the detector; a second process makes the pictures. Started again, it goes on where it stopped.

  train.py --cache CACHE --out RUN --minutes 60     for a given time
  train.py --cache CACHE --out RUN --steps 20000    the same weights on every run of one machine

RUN/checkpoint.pt is written every two minutes: weights, their running average, optimizer, and how far it is.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from network import MEAN, STD, STRIDES, Conv, Detector, decode, parameters_and_macs
from views import BATCHES, Item, Views

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from muon import Muon  # noqa: E402

HEIGHTS = ((0.0, 52.0), (38.0, 1e9))  # of the faces that each stride learns; both learn the overlap
RATE, MIXING_RATE, AVERAGE = 4e-3, 2e-2, 0.998  # MIXING_RATE: of layers that mix channels, by Muon


def cells(h: int, w: int) -> np.ndarray:
    """Centre (pixels) and level of every row of decode()."""
    out = []
    for level, s in enumerate(STRIDES):
        y, x = np.mgrid[: h // s, : w // s]
        out.append(np.stack([(x.ravel() + 0.5) * s, (y.ravel() + 0.5) * s, np.full(x.size, level)], 1))
    return np.concatenate(out).astype(np.float32)


def assigned(faces: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The face that each cell is to find; -1: none, -2: whatever it says is right."""
    out = np.full(len(grid), -1, np.int16)
    for i in np.argsort(faces[:, 1] - faces[:, 3]):  # a small face before a large one keeps its cells
        x0, y0, x1, y1, score = faces[i, :5]
        w, h = x1 - x0, y1 - y0
        dx, dy = abs(grid[:, 0] - (x0 + x1) / 2), abs(grid[:, 1] - (y0 + y1) / 2)
        if score == 0:
            out[(dx < w / 2 + 4) & (dy < h / 2 + 4)] = -2
            continue
        for level, (low, high) in enumerate(HEIGHTS):
            reach = min(max(0.2 * math.sqrt(w * h), 0.5 * STRIDES[level]), 1.5 * STRIDES[level])
            near = (grid[:, 2] == level) & (np.maximum(dx, dy) <= reach)
            if low <= h < high:
                out[near] = i
            elif low * 0.8 <= h < high * 1.25:
                out[near & (out == -1)] = -2
    return out


def packed(items: list[Item]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures; the face of each cell; all faces of the batch, to which those numbers point."""
    grid = cells(*items[0].image.shape)
    owners, faces, first = [], [], 0
    for item in items:
        owner = assigned(item.faces, grid)
        owners.append(np.where(owner >= 0, owner + first, owner))
        faces.append(item.faces)
        first += len(item.faces)
    return np.stack([i.image for i in items]), np.stack(owners), np.concatenate(faces)


def produce(cache: Path, seed: int, start: int, queue: Any, parent: int) -> None:
    cv2.setNumThreads(1)
    views = Views(cache, seed)
    number = start
    while os.getppid() == parent:
        queue.put(packed(views.batch(number)))
        number += 1


def box_loss(p: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """IoU and complete-IoU loss (Zheng et al. 2020, "Distance-IoU loss")."""
    size = (torch.min(p[:, 2:], t[:, 2:]) - torch.max(p[:, :2], t[:, :2])).clamp(0)
    p_size, t_size = p[:, 2:] - p[:, :2], t[:, 2:] - t[:, :2]
    both = size.prod(1)
    iou = both / (p_size.prod(1) + t_size.prod(1) - both + 1e-6)
    hull = torch.max(p[:, 2:], t[:, 2:]) - torch.min(p[:, :2], t[:, :2])
    apart = ((p[:, :2] + p[:, 2:] - t[:, :2] - t[:, 2:]) ** 2).sum(1) / 4 / (hull.square().sum(1) + 1e-6)
    shape = (torch.atan(t_size[:, 0] / t_size[:, 1]) - torch.atan(p_size[:, 0] / p_size[:, 1])) ** 2 * 4 / math.pi**2
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-6)
    return iou, 1 - iou + apart + weight * shape


def losses(maps: tuple[torch.Tensor, ...], owner: torch.Tensor, faces: torch.Tensor) -> list[torch.Tensor]:
    """Quality focal loss (Li et al. 2020) with target sqrt(IoU x teacher score); boxes; points in face heights."""
    rows = decode(maps)
    logit = rows[..., 4]
    target = torch.zeros_like(logit)
    positive = owner >= 0
    count = positive.sum().clamp(1)
    p, t = rows[positive], faces[owner[positive].long()]
    iou, box = box_loss(p[:, :4], t[:, :4])
    quality = (iou.detach().clamp(0.05, 1) * (t[:, 4] / 0.93).clamp(0.3, 1)).sqrt()
    target[positive] = quality
    known = torch.isfinite(t[:, 5:]).all(1)
    off = (p[:, 5:] - torch.nan_to_num(t[:, 5:])) / (t[:, 3:4] - t[:, 1:2])
    points = F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.02, reduction="none").mean(1)
    focus = (torch.sigmoid(logit.detach()) - target).square() * (owner != -2)
    found = F.binary_cross_entropy_with_logits(logit, target, reduction="none") * focus
    return [found.sum() / count, 2 * (box * quality).sum() / count, 4 * (points * quality * known).sum() / count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if (args.minutes is None) == (args.steps is None):
        parser.error("either --minutes or --steps")
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "checkpoint.pt"

    net = Detector()
    print("parameters {}, multiply-accumulates at 320x240 {}".format(*parameters_and_macs(net, 240, 320)), flush=True)
    net = net.train().to(memory_format=torch.channels_last)
    mixing = [m[0].weight for m in net.modules() if isinstance(m, Conv) and m[0].groups == 1]
    inner = {id(p) for p in mixing}
    weights = [p for p in net.parameters() if p.ndim > 1 and id(p) not in inner]
    biases = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 5e-4}, {"params": biases, "weight_decay": 0.0}]
    optimizers = [
        torch.optim.AdamW(groups, lr=RATE, fused=True),
        Muon(mixing, lr=MIXING_RATE, weight_decay=5e-3),
    ]
    average = {k: v.clone() for k, v in net.state_dict().items()}
    step, spent, seen = 0, 0.0, 0
    if path.exists():
        stored = torch.load(path)
        net.load_state_dict(stored["net"])
        for optimizer, state in zip(optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        average, step, spent, seen = (stored[k] for k in ("average", "step", "seconds", "pictures"))

    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue(4)
    maker = spawn.Process(target=produce, args=(args.cache, args.seed, step, queue, os.getpid()), daemon=True)
    maker.start()

    def save() -> None:
        stored = {"net": net.state_dict(), "average": average, "step": step}
        stored |= {"optimizers": [o.state_dict() for o in optimizers]}
        stored |= {"seconds": spent, "pictures": seen, "seed": args.seed}
        torch.save(stored, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").rename(path)

    total = np.zeros(3)
    held = queue.get()  # the clock starts when there is something to learn
    begin, saved = time.monotonic() - spent, spent
    while True:
        spent = time.monotonic() - begin
        done = step / args.steps if args.steps else spent / (60 * args.minutes)
        if done >= 1:
            break
        pace = min(1, (step + 1) / 150) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer, rate in zip(optimizers, (RATE, MIXING_RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * pace
        images, owner, faces = held
        x = (torch.from_numpy(images)[:, None].float() - MEAN) / STD
        parts = losses(
            net(x.contiguous(memory_format=torch.channels_last)), torch.from_numpy(owner), torch.from_numpy(faces)
        )
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        sum(parts).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        for optimizer in optimizers:
            optimizer.step()
        keep = min(AVERAGE, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                if value.dtype.is_floating_point:
                    average[name].lerp_(value, 1 - keep)
                else:
                    average[name].copy_(value)
        total += [float(p.detach()) for p in parts]
        step += 1
        seen += len(images)
        if step % 100 == 0:
            mean = " ".join(f"{v:.4f}" for v in total / 100)
            print(
                f"{step}: {spent / 60:.1f} min, {seen} pictures; face, box, points {mean}; rate {RATE * pace:.5f}", flush=True
            )
            total[:] = 0
        if spent - saved > 120:
            saved = spent
            save()
        held = queue.get()
    save()
    print(f"{step} steps, {seen} pictures, {spent / 60:.1f} min of {len(BATCHES)} kinds of batches", flush=True)
    maker.terminate()


if __name__ == "__main__":
    main()
