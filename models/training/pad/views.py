#!/usr/bin/env python3
"""Cuts views from the pool and asks the teacher about each: shards of views for train.py.

  views.py --work WORK --teacher V1SE.onnx --contract V1SE.yaml --shards 100 [--seed 1] [--precision bf16]

Shard k depends on the pool, the seed and k alone; shards that lie there already are kept, so that a run that was stopped
goes on. WORK/views/000k.npz holds 8192 views: uint8 (count, 80, 80, 3) BGR, the teacher's logits, some of what it computes
on the way (HINTS), and of which sets' pictures a view was made. With --most it waits while so many shards lie there
(train.py --forget removes those that it is done with); --first and --step share the work among processes.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import liveness
import numpy as np
import onnx
from origins import ORIGINS
from prepare import KINDS

SIDE, COUNT, BATCH = 80, 8192, 256
SHARES = {"face": 0.14, "live": 0.1, "print": 0.1, "screen": 0.09, "thing": 0.07, "sharp": 0.18, "frame": 0.32}
FRAMES = {"nuaa": 0.25, "replay": 0.35, "casia": 0.4}
# Outputs inside MiniFASNetV1SE: at 10x10 and 5x5 places (128 channels each), and the 128 numbers before the logits.
HINTS = {
    "middle": "/conv_4/model/model.5/Add_output_0",
    "late": "/conv_5/model/model.1/Add_output_0",
    "features": "/bn/BatchNormalization_output_0",
}
MIDDLE = 32  # random directions of the middle map's channels that are kept: they tell distances nearly as well as all


class Pool:
    def __init__(self, work: Path, without: list[str]) -> None:
        self.index = dict(np.load(work / "pool.npz"))
        self.pixels = np.memmap(work / "pool.u8", np.uint8, "r")
        # Gray pictures are attacks to the teacher, whatever they show: one in ten of them is enough.
        keep = (self.index["chroma"] > 4) | (np.arange(len(self.index["kind"])) % 10 == 0)
        origin = self.index["origin"]
        keep &= ~np.isin(origin, [ORIGINS.index(name) for name in without])
        self.members = [np.flatnonzero((self.index["kind"] == i) & keep) for i in range(len(KINDS))]
        frames = self.members[KINDS.index("frame")]
        self.frames = {name: frames[origin[frames] == ORIGINS.index(name)] for name in FRAMES}
        self.frames = {name: members for name, members in self.frames.items() if len(members)}
        share = np.array([SHARES[k] if len(m) else 0 for k, m in zip(KINDS, self.members, strict=True)])
        self.share = share / share.sum()
        weight = np.array([FRAMES[name] for name in self.frames])
        self.weight = weight / weight.sum() if self.frames else weight

    def draw(self, r: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray, int]:
        """Kind, picture, box, and a bit for the set that it is from."""
        kind = KINDS[pick(self.share, r)]
        members = self.members[KINDS.index(kind)]
        if kind == "frame":
            members = self.frames[list(self.frames)[pick(self.weight, r)]]
        i = members[r.integers(len(members))]
        h, w, at = (int(self.index[k][i]) for k in ("height", "width", "at"))
        picture = self.pixels[at : at + h * w * 3].reshape(h, w, 3)
        return kind, picture, self.index["box"][i].astype(float), 1 << int(self.index["origin"][i])


def pick(share: np.ndarray, r: np.random.Generator) -> int:
    return min(int(np.searchsorted(np.cumsum(share), r.random())), len(share) - 1)


def crop(picture: np.ndarray, box: np.ndarray, scale: float) -> np.ndarray:
    """The contract's crop before it is resized: scale times the box, shrunk to the picture and shifted inside."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    s = min((height - 1) / h, (width - 1) / w, scale)
    left = min(max(x + w / 2 - w * s / 2, 0), width - 1 - w * s)
    top = min(max(y + h / 2 - h * s / 2, 0), height - 1 - h * s)
    return picture[int(max(top, 0)) : int(top + h * s) + 1, int(max(left, 0)) : int(left + w * s) + 1]


def recorded(part: np.ndarray, r: np.random.Generator) -> np.ndarray:
    """What a cheap camera and its film make of it: few pixels, compression."""
    size = int(r.integers(50, 200))
    part = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, int(r.integers(15, 85))])[1], 1)


def cut(pool: Pool, scale: float, r: np.random.Generator) -> tuple[np.ndarray, int]:
    kind, picture, box, origin = pool.draw(r)
    height, width = picture.shape[:2]
    if kind == "thing":
        side = r.uniform(0.12, 0.6) * min(height, width)
        box = np.array([r.uniform(0, width - side), r.uniform(0, height - side), side, side])
    else:  # YuNet's box to that of the teacher's training, as its contract says
        side = 0.85 * box[3]
        box = np.array([box[0] + box[2] / 2 - side / 2, box[1] + 0.567 * box[3] - side / 2, side, side])
    side *= np.exp(r.uniform(-0.2, 0.2))
    center = box[:2] + box[2:] / 2 + r.uniform(-0.12, 0.12, 2) * side
    size = side * np.exp(r.uniform(-0.08, 0.08, 2))
    box = np.array([*(center - size / 2), *size])
    if r.random() < (0.35 if kind == "frame" else 0.65):  # the frame ends early, as where a face fills a webcam's picture
        narrow = side * np.exp(r.uniform(np.log(1.2), np.log(3.5)))
        extent = np.array([narrow, narrow * np.exp(r.uniform(0, 0.6))])[:: int(r.choice([-1, 1]))]
        start = center - extent * r.uniform(0.35, 0.65, 2)
        x0, y0 = np.maximum(0, start).astype(int)
        x1, y1 = np.minimum([width, height], start + extent).astype(int)
        if min(x1 - x0, y1 - y0) > side:
            picture, box, center = picture[y0:y1, x0:x1], box - [x0, y0, 0, 0], center - [x0, y0]
    if r.random() < 0.15:
        scale = scale * np.exp(r.uniform(-1, 0.5))
    if r.random() < 0.1 and picture.size < 500_000:
        turn = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), r.normal(0, 6), 1)
        picture = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    part = crop(picture, box, scale)
    if r.random() < 0.2:
        part = recorded(part, r)
    how = cv2.INTER_AREA if r.random() < 0.3 else cv2.INTER_LINEAR
    view = cv2.resize(part, (SIDE, SIDE), interpolation=how)
    return (view[:, ::-1] if r.random() < 0.5 else view), origin


def mask(r: np.random.Generator) -> np.ndarray:
    """A soft ellipse, or a quadrangle with hard edges such as paper has."""
    m = np.zeros((SIDE, SIDE), np.float32)
    if r.random() < 0.5:
        center = (40 + int(r.integers(-10, 11)), 40 + int(r.integers(-10, 11)))
        cv2.ellipse(m, center, (int(r.integers(8, 34)), int(r.integers(10, 40))), 0, 0, 360, 1.0, -1)
        return cv2.GaussianBlur(m, (0, 0), r.uniform(0.6, 3))[..., None]
    corners = (
        np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]) * r.uniform(30, 74) + r.uniform(0, 30, 2) + r.normal(0, 4, (4, 2))
    )
    cv2.fillConvexPoly(m, (corners * 16).astype(np.int32), 1.0, cv2.LINE_AA, 4)
    return m[..., None]


def held(a: np.ndarray, b: np.ndarray, r: np.random.Generator) -> np.ndarray:
    """One view as a sheet or display, with or without a rim, before another or a plain wall."""
    corners = np.float32([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]])
    size = r.uniform(34, 78, 2) if r.random() < 0.5 else np.full(2, r.uniform(34, 78))
    place = corners / SIDE * size + (SIDE - size) * r.uniform(0.1, 0.9, 2) + r.normal(0, 2.5, (4, 2))
    back = b.astype(np.float32) if r.random() < 0.7 else np.full_like(a, r.uniform(0, 255, 3), np.float32)
    if r.random() < 0.6:
        middle = place.mean(0)
        rim = middle + (place - middle) * r.uniform(1.03, 1.3, 2)
        color = r.normal(0, 6, 3) + (r.uniform(0, 60) if r.random() < 0.5 else r.uniform(170, 255))
        cv2.fillConvexPoly(back, (rim * 16).astype(np.int32), color.tolist(), cv2.LINE_AA, 4)
    turn = cv2.getPerspectiveTransform(corners, place.astype(np.float32))
    how = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_TRANSPARENT}
    return cv2.warpPerspective(a.astype(np.float32), turn, (SIDE, SIDE), dst=back, **how)


def mix(a: np.ndarray, b: np.ndarray, r: np.random.Generator) -> np.ndarray:
    part = r.beta(0.6, 0.6) if r.random() < 0.5 else mask(r)
    return (a * part + b * (1 - part)).astype(np.float32)


class Chance:
    """Noise and waves from banks: to draw them afresh would cost more than everything else."""

    def __init__(self) -> None:
        r = np.random.default_rng(0)
        self.noise = r.standard_normal(1 << 21).astype(np.float32)
        x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
        periods, angles, phases = (
            np.exp(r.uniform(np.log(2), np.log(25), 512)),
            r.uniform(0, np.pi, 512),
            r.uniform(0, 6.28, 512),
        )
        angles = np.where(
            r.random(512) < 0.5, np.round(angles / np.pi * 2) * np.pi / 2 + r.normal(0, 0.05, 512), angles
        )
        u = np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y
        angle = r.uniform(0, 6.28, 64)[:, None, None]
        self.slopes = (((x - 40) * np.cos(angle) + (y - 40) * np.sin(angle)) / 40).astype(np.float32)[..., None]
        self.waves = np.cos(u * (2 * np.pi / periods)[:, None, None] + phases[:, None, None]).astype(np.float32)[
            ..., None
        ]

    def gauss(self, r: np.random.Generator) -> np.ndarray:
        n = SIDE * SIDE * 3
        at = r.integers(0, len(self.noise) - n)
        return self.noise[at : at + n].reshape(SIDE, SIDE, 3)


def camera(v: np.ndarray, chance: Chance, r: np.random.Generator) -> np.ndarray:
    """Tone, light, blur, noise and compression; a quarter of the views stays as it is."""
    v = v.astype(np.float32)
    if r.random() < 0.25:
        return v
    if r.random() < 0.12:
        v = v * (1 + r.uniform(0.01, 0.12) * chance.waves[r.integers(512)])
    if r.random() < 0.65:
        harsh = 2.5 if r.random() < 0.25 else 1  # one lamp, a window, a cheap webcam
        curve = 255 * np.linspace(0, 1, 256) ** np.exp(r.normal(0, 0.2 * harsh)) * np.exp(r.normal(0, 0.12 * harsh))
        curve = curve + r.normal(0, 5)
        gains = np.exp(r.normal(0, 0.05 * harsh**2, 3)).astype(np.float32)
        v = curve.astype(np.float32)[np.clip(v, 0, 255).astype(np.uint8)] * gains
        if r.random() < 0.3:
            gray = v.mean(2, keepdims=True)
            v = gray + (v - gray) * np.float32(r.uniform(0.3, 1.4))
    if r.random() < 0.2:  # light from a side
        slope = chance.slopes[r.integers(len(chance.slopes))]
        v = v * np.exp(np.float32(r.normal(0, 0.5)) * slope)
    chosen = r.random()
    if chosen < 0.2:
        v = cv2.GaussianBlur(v, (0, 0), r.uniform(0.3, 1))
    elif chosen < 0.3:
        v = v + 0.6 * (v - cv2.GaussianBlur(v, (0, 0), 1))
    elif chosen < 0.38:
        small = int(r.integers(28, 72))
        v = cv2.resize(cv2.resize(v, (small, small), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
    if r.random() < 0.25:
        v = v + np.float32(r.uniform(1, 6)) * chance.gauss(r)
    if r.random() < 0.2:
        pixels = np.clip(v, 0, 255).astype(np.uint8)
        v = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(r.integers(40, 96))])[1], 1)
    return v


def shard(
    pool: Pool, chance: Chance, scale: float, seed: int, number: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    r = np.random.default_rng([seed, number])
    views, origins = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty(count, np.uint8)
    before, bit_before = cut(pool, scale, r)
    for i in range(count):
        plain, bit = cut(pool, scale, r)
        chosen = r.random()
        v = mix(plain, before, r) if chosen < 0.2 else held(plain, before, r) if chosen < 0.35 else plain
        views[i] = np.clip(np.round(camera(v, chance, r)), 0, 255)
        origins[i] = bit | bit_before if chosen < 0.35 else bit
        before, bit_before = plain, bit
    return views, origins


def with_hints(teacher: Path, folder: Path) -> Path:
    """The teacher's file with the outputs of HINTS beside its logits."""
    network = onnx.load(teacher)
    network.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in HINTS.values()
    )
    onnx.save(network, folder / "teacher.onnx")
    return folder / "teacher.onnx"


def without_digest(contract: Path, folder: Path) -> Path:
    """The contract for that file: its SHA-256 is another one."""
    lines = [line for line in contract.read_text().splitlines() if not line.startswith("source_sha256")]
    (folder / "teacher.yaml").write_text("\n".join(lines) + "\n")
    return folder / "teacher.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--contract", type=Path, required=True)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--most", type=int, default=1 << 30)
    parser.add_argument("--without", nargs="*", default=[], choices=ORIGINS, help="sets that give no views")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = args.work / "views"
    folder.mkdir(exist_ok=True)
    file, contract = with_hints(args.teacher, args.work), without_digest(args.contract, args.work)
    teacher = liveness.Model(file, contract=contract, precision=args.precision)
    scale, output = teacher.contract["crop"]["scale"], teacher.contract["score"]["output"]
    pool, chance = Pool(args.work, args.without), Chance()
    directions = np.random.default_rng(0).standard_normal((128, MIDDLE)).astype(np.float32) / np.sqrt(128)
    for number in range(args.first, args.shards, args.step):
        final = folder / f"{number:04}.npz"
        if final.exists():
            continue
        while len(list(folder.glob("*.npz"))) >= args.most:
            time.sleep(1)
        views, origins = shard(pool, chance, scale, args.seed, number, COUNT)
        answers = [teacher.run_pixels(views[i : i + BATCH]) for i in range(0, COUNT, BATCH)]
        rows = {name: np.concatenate([a[n] for a in answers]) for name, n in {"logits": output, **HINTS}.items()}
        middle = np.einsum("bchw,cd->bhwd", rows["middle"], directions, optimize=True)
        part = final.with_suffix(".part")
        with part.open("wb") as out:
            np.savez(
                out,
                views=views,
                origins=origins,
                logits=rows["logits"].astype(np.float32),
                middle=middle.astype(np.float16),
                late=rows["late"].transpose(0, 2, 3, 1).astype(np.float16),
                features=rows["features"].astype(np.float16),
            )
        os.replace(part, final)
        print(f"{final}: live {np.mean(rows['logits'].argmax(1) == 1):.3f}", flush=True)


if __name__ == "__main__":
    main()
