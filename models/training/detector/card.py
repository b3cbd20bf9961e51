#!/usr/bin/env python3
"""Measures a package on the held-back pictures, beside YuNet at 320 pixels, and writes the tables into the model card.

  card.py --cache CACHE --package face_detector.safetensors --yunet yunet_s_320_320.onnx --card face_detector.md

The tables replace what stands in the card between its lines `<!-- figures -->` and `<!-- end of figures -->`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from network import decode
from scipy.stats import beta
from teacher import YuNet, letterboxed, overlaps, suppress
from views import Item, load, moved

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import package  # noqa: E402

SURE = 0.8  # the teacher's score from which a face must be found
LEAST = 0.15  # detections below this score are not looked at
BANDS = (10, 15, 22, 33, 50, 71, 90)  # face heights in % of the frame
FLOOR = 0.7  # the tracker's quality_floor
WINDOWS = ((96, 2.0), (112, 1.6), (128, 1.6), (144, 1.6), (160, 1.6))  # pixels, faces wide; the contract's is one
Find = Callable[[np.ndarray], np.ndarray]


class Student:
    """The package as the library runs it: letterbox, network, decoding, averaging suppression."""

    def __init__(self, path: Path) -> None:
        self.net = package.Network(path)
        self.detector = self.net.contract["detector"]
        given = self.net.contract["input"]
        self.width, self.height = given["width"], given["height"]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        pixels, back = letterboxed(grey, self.width, self.height)
        faces = self.look(pixels)
        faces[:, :4] *= np.tile(back, 2)
        faces[:, 5:] *= np.tile(back, 5)
        return faces

    def through(self, image: np.ndarray, face: np.ndarray, window: int, scale: float) -> float:
        """The best score in a tracker's window around a face: a square of `window` pixels, `scale` faces wide."""
        h, w = image.shape[:2]
        side = round(scale * max(face[2:4] - face[:2]))
        left, top = (
            int(min(max(c - side / 2, 0), n - side) if n > side else (n - side) / 2)
            for c, n in zip((face[:2] + face[2:4]) / 2, (w, h), strict=True)
        )
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[max(top, 0) : top + side, max(left, 0) : left + side]
        before, beside = max(-top, 0), max(-left, 0)
        after, behind = side - before - grey.shape[0], side - beside - grey.shape[1]
        part = cv2.copyMakeBorder(grey, before, after, beside, behind, cv2.BORDER_CONSTANT)
        how = cv2.INTER_AREA if side > window else cv2.INTER_LINEAR
        return float(self.look(cv2.resize(part, (window, window), interpolation=how))[:, 4].max(initial=0))

    def look(self, pixels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out = self.net(package.to_values(pixels[None, ..., None], self.net.contract))
            rows = decode(tuple(out[name] for name in self.detector["outputs"]["map"]))[0].numpy()
        rows[:, 4] = 1 / (1 + np.exp(-rows[:, 4]))
        return suppress(rows[rows[:, 4] >= LEAST], self.detector["nms_iou"], self.detector.get("nms_average", False))


class Remembered:
    """A detector's answers; kept in a file where it need not look again when other weights of ours are measured."""

    def __init__(self, find: Find, file: Path | None = None) -> None:
        self.find, self.file = find, file
        self.known = dict(np.load(file)) if file and file.exists() else {}

    def __call__(self, image: np.ndarray) -> np.ndarray:
        key = hashlib.sha256(image.tobytes()).hexdigest()[:24]
        if key not in self.known:
            self.known[key] = self.find(image)
        return self.known[key].copy()

    def save(self) -> None:
        if self.file:
            np.savez(self.file, **self.known)


def interval(hits: int, n: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %, in %."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return 100 * float(low), 100 * float(high)


def share(hits: int, n: int) -> str:
    low, high = interval(hits, n)
    return f"{100 * hits / n:.1f} ({low:.1f}-{high:.1f})"


def matched(find: Find, items: list[Item], largest: bool = False) -> np.ndarray:
    """A row for each sure face of the teacher: IoU and score of its detection, height in % of the frame, mean error
    of the points in eye distances."""
    rows = []
    for item in items:
        truth = item.faces[item.faces[:, 4] >= SURE]
        if largest and len(truth):
            truth = truth[[np.prod(truth[:, 2:4] - truth[:, :2], 1).argmax()]]
        found = find(item.image)
        shared = overlaps(truth, found)
        for face, row in zip(truth, shared, strict=True):
            j = int(row.argmax()) if len(found) else -1
            height = 100 * (face[3] - face[1]) / item.image.shape[0]
            if j < 0 or row[j] < 0.3:
                rows.append((0.0, 0.0, height, np.nan))
                continue
            points, wanted = found[j, 5:].reshape(5, 2), face[5:].reshape(5, 2)
            error = np.hypot(*(points - wanted).T).mean() / np.hypot(*(wanted[0] - wanted[1]))
            rows.append((row[j], found[j, 4], height, error))
            shared[:, j] = 0
    return np.array(rows)


def spoilt(items: list[Item], kind: str) -> list[Item]:
    random = np.random.default_rng(5)
    out = []
    for item in items:
        x = item.image.astype(np.float32)
        h, w = x.shape[:2]
        if kind == "dim":
            x = x * 0.12 + random.normal(0, 2.5, x.shape)
        elif kind == "blurred":
            x = cv2.GaussianBlur(x, (0, 0), 2.0 * max(h, w) / 320)
        elif kind == "backlit" and len(item.faces):
            f = item.faces[0]
            size = f[3] - f[1]
            dy, dx = (np.arange(h) - (f[1] + f[3]) / 2) / size, (np.arange(w) - (f[0] + f[2]) / 2) / size
            near = np.exp(-(np.add.outer(dy**2, dx**2) ** 2))[..., None]
            x = (255 - (255 - x) * 0.35) * (1 - near) + x * 0.3 * near + random.normal(0, 3, x.shape)
        out.append(Item(x.clip(0, 255).astype(np.uint8), item.faces))
    return out


def rescaled(items: list[Item], grounds: list[Item], count: int) -> list[Item]:
    """Face heights spread over 10 to 90 % of frames of 640 x 480; outside the picture lies a held-back background."""
    random = np.random.default_rng(3)
    out = []
    items = [i for i in items if len(i.faces) and i.faces[0, 4] >= SURE]
    for i in range(count):
        item = items[i % len(items)]
        face = item.faces[0]
        size = face[2:4] - face[:2]
        scale = 480 * np.exp(random.uniform(np.log(BANDS[0]), np.log(BANDS[-1]))) / 100 / size[1]
        half = scale * size / 2
        centre = [random.uniform(min(a, b / 2), max(b - a, b / 2)) for a, b in zip(half, (640, 480), strict=True)]
        m = np.array([[scale, 0, 0], [0, scale, 0]])
        m[:, 2] = np.array(centre) - scale * (face[:2] + face[2:4]) / 2
        frame = cv2.resize(grounds[random.integers(len(grounds))].image, (640, 480), interpolation=cv2.INTER_AREA)
        image, small = item.image, m.copy()
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            small[0, 0] = scale * item.image.shape[1] / image.shape[1]
            small[1, 1] = scale * item.image.shape[0] / image.shape[0]
        cv2.warpAffine(image, small, (640, 480), dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        out.append(Item(frame, moved(face[None], m)))
    return out


def jitter(find: Find, items: list[Item]) -> tuple[float, float]:
    """Spread of centre and height, % of the face height: one frame moved by parts of a pixel, with fresh noise."""
    random = np.random.default_rng(2)
    spreads = []
    for item in items:
        face = item.faces[0]
        unit = max(item.image.shape) / 320
        seen = []
        for _ in range(8):
            d = random.uniform(-1.5, 1.5, 2) * unit
            h, w = item.image.shape[:2]
            x = cv2.warpAffine(
                item.image, np.array([[1, 0, d[0]], [0, 1, d[1]]]), (w, h), borderMode=cv2.BORDER_REPLICATE
            )
            x = (x * random.uniform(0.96, 1.04) + random.normal(0, 3, x.shape)).clip(0, 255).astype(np.uint8)
            found = find(x)
            if len(found):
                found[:, :4] -= np.tile(d, 2)
                best = found[overlaps(face[None], found)[0].argmax()]
                if overlaps(face[None], best[None])[0, 0] > 0.4:
                    seen.append([*(best[:2] + best[2:4]) / 2, best[3] - best[1]])
        if len(seen) == 8:
            spread = 100 * np.std(seen, 0) / (face[3] - face[1])
            spreads.append([np.hypot(spread[0], spread[1]), spread[2]])
    return tuple(np.median(spreads, 0))


def followed(student: Student, find: Find, items: list[Item], threshold: float) -> list[str]:
    """The share of the largest faces found in whole pictures that a tracker would be sure of, a window each."""
    seen = [(i.image, f[np.prod(f[:, 2:4] - f[:, :2], 1).argmax()]) for i in items if len(f := find(i.image))]
    seen = [(image, face) for image, face in seen if face[4] >= threshold]
    return [share(sum(student.through(*s, *w) >= FLOOR for s in seen), len(seen)) for w in WINDOWS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--every", type=int, default=1, help="the last four tables look at every nth picture only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    student = Student(args.package)
    yunet = YuNet(args.yunet)
    remembered = Remembered(lambda image: yunet(image, 320, LEAST), args.cache / "yunet_320.npz")
    finders: dict[str, tuple[Find, float]] = {
        "ours": (Remembered(student), student.detector["score_threshold"]),
        "YuNet-320": (remembered, 0.6),
    }

    replay, nuaa, portraits, news, empty = (
        load(args.cache, n) for n in ("replay_test", "nuaa_test", "interfaces_held", "news_held", "negatives_held")
    )
    empty = [i for i in empty if i.faces[:, 4].max(initial=0) < 0.6]
    lines: list[str] = []

    def say(*texts: str) -> None:
        for text in texts:
            print(text, flush=True)
        lines.extend(texts)

    say(
        "| false alarms per 1000 face-free pictures, 95 % interval | at .4 | at .5 | at .6 | at .7 | threshold for 10 |"
    )
    say("|---|---|---|---|---|---|")
    ten = {}
    for name, (find, _) in finders.items():
        best = np.sort([find(i.image)[:, 4].max(initial=0) for i in empty])[::-1]
        ten[name] = max(float(best[len(empty) // 100]) + 1e-4, LEAST)
        cells = []
        for threshold in (0.4, 0.5, 0.6, 0.7):
            n = int((best >= threshold).sum())
            cells.append(
                "{:.0f} ({:.0f}-{:.0f})".format(*(10 * v for v in (100 * n / len(empty), *interval(n, len(empty)))))
            )
        say(f"| {name}, {len(empty)} pictures | " + " | ".join(cells) + f" | {ten[name]:.2f} |")
    say("")

    say("| | faces | recall IoU .5, % | recall IoU .7, % | mean IoU | points: median, 95th percentile, % of eyes |")
    say("|---|---|---|---|---|---|")
    sets = [
        ("Replay-Attack test", replay, False),
        ("NUAA test, new subjects, largest face", nuaa, True),
        ("NUAA test, every sure face", nuaa, False),
        ("portraits of people never seen (interfaces)", portraits, False),
        ("news faces of people never seen", news, False),
    ]
    for what, items, largest in sets:
        for name, (find, threshold) in finders.items():
            rows = matched(find, items, largest)
            ok = rows[:, 1] >= threshold
            hits = [int((ok & (rows[:, 0] >= v)).sum()) for v in (0.5, 0.7)]
            good = rows[ok & (rows[:, 0] >= 0.5)]
            points = (100 * float(np.nanquantile(good[:, 3], q)) for q in (0.5, 0.95))
            cells = [
                f"{what}: {name}",
                str(len(rows)),
                *(share(v, len(rows)) for v in hits),
                f"{good[:, 0].mean():.3f}",
            ]
            say("| " + " | ".join([*cells, "{:.1f}, {:.1f}".format(*points)]) + " |")
    say("")

    replay, nuaa, news = (items[:: args.every] for items in (replay, nuaa, news))
    say(
        "| recall IoU .5, % | Replay: dim | backlit | blurred | NUAA, largest: dim | backlit | blurred |",
        "|---|---|---|---|---|---|---|",
    )
    for name, (find, threshold) in finders.items():
        cells = []
        for items in (replay, nuaa):
            for kind in ("dim", "backlit", "blurred"):
                rows = matched(find, spoilt(items[::3], kind), items is nuaa)
                cells.append(share(int(((rows[:, 1] >= threshold) & (rows[:, 0] >= 0.5)).sum()), len(rows)))
        say(f"| {name} | " + " | ".join(cells) + " |")
    say("")

    bands = [f"{a}-{b} %" for a, b in zip(BANDS, BANDS[1:], strict=False)]
    say(
        "| recall IoU .5, % by face height, at 10 false alarms per 1000 | " + " | ".join(bands) + " |",
        "|---|" + "---|" * len(bands),
    )
    for what, items in (("Replay-Attack test", replay), ("other people (interfaces, news)", portraits + news)):
        frames = rescaled(items, empty, 600 // args.every)
        for name, (find, _) in finders.items():
            rows = matched(find, frames)
            ok = (rows[:, 1] >= ten[name]) & (rows[:, 0] >= 0.5)
            inside = [(rows[:, 2] >= a) & (rows[:, 2] < b) for a, b in zip(BANDS, BANDS[1:], strict=False)]
            say(f"| {what}: {name} | " + " | ".join(share(int(ok[i].sum()), int(i.sum())) for i in inside) + " |")
    say("")

    say("| jitter, % of the face height | centre | height |", "|---|---|---|")
    moving = [i for i in replay[::16] + nuaa[::10] if len(i.faces) and i.faces[0, 4] >= SURE]
    for name, (find, _) in finders.items():
        say("| {} | {:.2f} | {:.2f} |".format(name, *jitter(find, moving)))
    say("")

    wide = [f"{window} pixels, {scale:g} faces" for window, scale in WINDOWS]
    say(
        "| found faces with a score of .7 in a tracker's window, % | " + " | ".join(wide) + " |",
        "|---|" + "---|" * len(WINDOWS),
    )
    for what, items in (("Replay-Attack test", replay), ("NUAA test", nuaa), ("portraits", portraits), ("news", news)):
        say(f"| {what} | " + " | ".join(followed(student, finders["ours"][0], items, finders["ours"][1])) + " |")
    remembered.save()

    if args.card:
        text = args.card.read_text()
        begin, end = "<!-- figures -->\n", "<!-- end of figures -->\n"
        head, rest = text.split(begin)
        args.card.write_text(head + begin + "\n" + "\n".join(lines) + "\n\n" + end + rest.split(end)[1])


if __name__ == "__main__":
    main()
