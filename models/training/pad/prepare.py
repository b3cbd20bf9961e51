#!/usr/bin/env python3
"""Makes the pool of base pictures from which views are cut.

  prepare.py --media MIRROR --detector YUNET_640.onnx|FACES.safetensors --out WORK [--variant open] [--scenes 2] [--seed 1]

WORK/pool.u8 holds the pixels of all pictures one after the other, WORK/pool.npz where each lies, its face's box and its
kind: face, live, print, screen, thing, sharp, frame. Faces are scaled to 50-160 pixels; `--scenes` pictures with simulated
surroundings are made of each portrait, one attack of two. Portraits with more detail give close pictures as well (sharp).
Frames are those of the training parts of sets of attacks, as they are; the variant `open` has none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import liveness
import media
import numpy as np
import simulate
from origins import ORIGINS

KINDS = ["face", "live", "print", "screen", "thing", "sharp", "frame"]
SHARP = 150  # pixels of a face's height from which a portrait has detail for close views


def find_face(detector: liveness.FaceDetector, picture: np.ndarray) -> np.ndarray | None:
    faces = detector.detect(picture, color="bgr")
    if not faces:
        return None
    box = np.float32(max(faces, key=lambda f: f.box.width * f.box.height).box)
    return box if box[3] >= 30 else None


def chroma(picture: np.ndarray) -> float:
    """Mean distance between the largest and smallest color of a pixel: near 0 in gray pictures."""
    some = picture[::4, ::4].astype(np.int16)
    return float((some.max(2) - some.min(2)).mean())


def sharpen(add: Callable[..., None], picture: np.ndarray, box: np.ndarray, room: np.ndarray, r: simulate.Rng) -> None:
    scale = min(1, r.uniform(140, 260) / box[3])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    add("sharp", small, box * scale)
    add("sharp", *simulate.scene(small, box * scale, room, r, ["live", "print", "screen"][r.integers(3)], close=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--contract", type=Path, help="of a detector in ONNX")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", choices=["default", "open"], default="default")
    parser.add_argument("--scenes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    detector = liveness.FaceDetector(liveness.Model(args.detector, contract=args.contract))
    r = np.random.default_rng(args.seed)
    index: list[tuple] = []
    portraits: list[tuple[np.ndarray, np.ndarray, str]] = []
    rooms: list[np.ndarray] = []
    with (args.out / "pool.u8").open("wb") as pool:

        def add(kind: str, picture: np.ndarray, box: np.ndarray, origin: str = "open") -> None:
            place = (pool.tell(), *picture.shape[:2])
            index.append((*place, KINDS.index(kind), ORIGINS.index(origin), tuple(map(float, box)), chroma(picture)))
            pool.write(np.ascontiguousarray(picture).tobytes())

        for kind, origin, picture in media.view_sources(args.media, args.variant):
            if picture is None or min(picture.shape[:2]) < 60:
                continue
            if kind == "frame":
                box = find_face(detector, picture)
                if box is not None:
                    add(kind, picture, box, origin)
                continue
            if kind == "face":
                box = find_face(detector, picture)
                if box is None:
                    continue
                portraits.append((picture, box, origin))
                scale = min(1.5, r.uniform(60, 160) / box[3], 640 / max(picture.shape))
            else:
                scale = min(1, 240 / min(picture.shape[:2]))
                side = np.float32(picture.shape[1::-1])
                box = np.float32([*(side * 0.35), *(side * 0.3)])
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
            add("thing" if kind != "face" else "face", small, box * scale, origin)
            if kind != "face":
                side = min(small.shape[:2])
                rooms.append(small[:side, :side])
        print(f"{len(portraits)} portraits, {len(rooms)} others", flush=True)
        for number, (picture, box, origin) in enumerate(portraits):
            scale = min(1, 160 / box[3])
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for turn in range(args.scenes):
                kind = "live" if (number + turn) % 2 == 0 else "print" if r.random() < 0.5 else "screen"
                add(kind, *simulate.scene(small, box * scale, rooms[r.integers(len(rooms))], r, kind), origin)
            if box[3] >= SHARP:
                sharpen(partial(add, origin=origin), picture, box, rooms[r.integers(len(rooms))], r)
    at, height, width, kind, origin, box, tone = zip(*index, strict=True)
    np.savez(
        args.out / "pool.npz",
        at=at,
        height=height,
        width=width,
        kind=np.int8(kind),
        origin=np.int8(origin),
        box=np.float32(box),
        chroma=np.float32(tone),
    )
    counts = {k: int((np.array(kind) == i).sum()) for i, k in enumerate(KINDS)}
    print(f"{args.out}: {counts}, {(args.out / 'pool.u8').stat().st_size >> 20} MiB")


if __name__ == "__main__":
    main()
