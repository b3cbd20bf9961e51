#!/usr/bin/env python3
"""Reads the pictures, labels them with the teacher and stores one .npz a set, grey; the held-back sets in colour.

prepare.py --media MEDIA --teacher yunet_s_640_640.onnx --cache CACHE [SET ...]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import media
import numpy as np
from teacher import YuNet, overlaps

DROPPED_PAIR = 6  # bits of 64 in which the fingerprints of two versions of one picture differ at most


def fingerprint(image: np.ndarray) -> int:
    """64 bits that survive scaling and compression: is each of 9 x 8 grey levels above its neighbour?"""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return int("".join("01"[int(v)] for v in (small[:, 1:] > small[:, :-1]).ravel()), 2)


def merged(drawn: np.ndarray, found: np.ndarray) -> np.ndarray:
    """People decide what is a face; the teacher gives box, points and score where it agrees."""
    shared = overlaps(drawn, found)
    rows = []
    for i, box in enumerate(drawn):
        j = int(shared[i].argmax()) if len(found) else -1
        if j >= 0 and shared[i, j] > 0.45:
            row = found[j].copy()
            row[4] = max(row[4], 0.7)
            shared[:, j] = 0
        else:
            row = np.full(15, np.nan, np.float32)
            row[:4], row[4] = box, 0.7
        rows.append(row)
    alone = found[[overlaps(found[j : j + 1], drawn).max(initial=0) < 0.1 for j in range(len(found))]]
    alone = alone[alone[:, 4] > 0.3].copy()
    alone[:, 4] = 0.25  # doubtful: ignored in training
    return np.concatenate([np.array(rows, np.float32).reshape(-1, 15), alone])


def prepare(root: Path, name: str, teacher: YuNet, held: list[int], cache: Path) -> None:
    begin = time.time()
    images, faces, prints = [], [], []
    dropped = 0
    of_web = name in ("congress", "news_train", "web", "drawn", "masks", *media.BACKGROUNDS)
    for _, image, drawn in media.pictures(root, name):
        if image is None:
            continue
        mark = fingerprint(image)
        if of_web and any((mark ^ other).bit_count() <= DROPPED_PAIR for other in held):
            dropped += 1  # another version of a held-back picture
            continue
        found = teacher(image, 320 if name in media.CLOSE else 640, 0.2)
        images.append(image if name in media.HELD else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        faces.append(found if drawn is None else merged(drawn, found))
        prints.append(mark)
    rows = np.concatenate(faces)
    np.savez(
        cache / f"{name}.tmp.npz",
        shapes=np.array([i.shape for i in images]),
        data=np.concatenate([i.ravel() for i in images]),
        faces=rows,
        owner=np.repeat(np.arange(len(faces)), [len(f) for f in faces]),
        prints=np.array(prints, np.uint64),
    )
    (cache / f"{name}.tmp.npz").rename(cache / f"{name}.npz")
    sure = int((rows[:, 4] >= 0.8).sum())
    seconds = time.time() - begin
    print(
        f"{name}: {len(images)} pictures, {len(rows)} faces, {sure} sure, {dropped} dropped, {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("sets", nargs="*", default=media.SETS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    teacher = YuNet(args.teacher)
    for name in sorted(args.sets, key=media.SETS.index):
        if (args.cache / f"{name}.npz").exists():
            continue  # resumed
        marks = [args.cache / f"{n}.npz" for n in media.HELD]
        held = [int(p) for m in marks if m.exists() for p in np.load(m)["prints"]]
        prepare(args.media, name, teacher, held, args.cache)


if __name__ == "__main__":
    main()
