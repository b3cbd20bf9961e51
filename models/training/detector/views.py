"""Training pictures, made from the prepared sets: frames moved and scaled onto backgrounds, heads cut out and pasted,
backgrounds alone; then occluders, light, blur, noise and JPEG. Batch k depends on the seed and k alone, so that
training can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import media
import numpy as np

DOUBTFUL = 0.45  # a face of a lower teacher score is neither face nor background
SMALLEST = 14  # pixels of height; smaller faces are ignored likewise
VISIBLE = 0.62  # part of the box inside the picture; below it the face is ignored
SWAPPED = [1, 0, 2, 4, 3]  # the five points of a mirrored face

# How often a face comes from each set, against the others.
SHARES = {
    "news_train": 0.24,
    "congress": 0.13,
    "web": 0.20,
    "masks": 0.08,
    "interfaces_train": 0.09,
    "nuaa_train": 0.10,
    "replay_train": 0.06,
    "replay_devel": 0.05,
    "casia": 0.03,
    "drawn": 0.02,
}

# Height, width, pictures a batch, face heights from and to; taken in turn. The last one is what the tracker looks at.
BATCHES = ((240, 320, 20, 16, 230), (240, 320, 20, 16, 230), (192, 256, 32, 16, 190), (128, 128, 64, 22, 118))


@dataclass
class Item:
    image: np.ndarray
    faces: np.ndarray  # x0 y0 x1 y1 score, five points; NaN where there are no points


def load(cache: Path, name: str) -> list[Item]:
    stored = np.load(cache / f"{name}.npz")
    data, shapes, owner, faces = (stored[k] for k in ("data", "shapes", "owner", "faces"))
    ends = np.cumsum(np.prod(shapes, 1))
    first = np.searchsorted(owner, np.arange(len(shapes) + 1))
    return [
        Item(data[end - np.prod(shape) : end].reshape(shape), faces[first[i] : first[i + 1]])
        for i, (shape, end) in enumerate(zip(shapes, ends, strict=True))
    ]


def moved(faces: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Faces through the similarity m (2 x 3); the box becomes that of the turned ellipse inside it."""
    out = faces.copy()
    c, s = m[0, 0], m[1, 0]
    half = (faces[:, 2:4] - faces[:, :2]) / 2
    centre = (faces[:, :2] + faces[:, 2:4]) / 2 @ m[:, :2].T + m[:, 2]
    half = np.stack([np.hypot(half[:, 0] * c, half[:, 1] * s), np.hypot(half[:, 0] * s, half[:, 1] * c)], 1)
    out[:, :2], out[:, 2:4] = centre - half, centre + half
    out[:, 5:] = (faces[:, 5:].reshape(-1, 2) @ m[:, :2].T + m[:, 2]).reshape(-1, 10)
    return out


def mirrored(faces: np.ndarray, width: int) -> np.ndarray:
    out = faces.copy()
    out[:, 0], out[:, 2] = width - faces[:, 2], width - faces[:, 0]
    points = faces[:, 5:].reshape(-1, 5, 2)[:, SWAPPED].copy()
    points[..., 0] = width - points[..., 0]
    out[:, 5:] = points.reshape(-1, 10)
    return out


def shrunk(image: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halves the picture while m would still alias, and changes m to fit."""
    m = m.copy()
    while np.hypot(m[0, 0], m[1, 0]) < 0.5 and min(image.shape) > 3:
        before = image.shape
        image = cv2.resize(image, (before[1] // 2, before[0] // 2), interpolation=cv2.INTER_AREA)
        m[:, 0] *= before[1] / image.shape[1]
        m[:, 1] *= before[0] / image.shape[0]
    return image, m


def heads(item: Item) -> list[Item]:
    """A square around each sure face, small enough to keep many."""
    out = []
    for f in item.faces:
        height = f[3] - f[1]
        if not f[4] >= 0.7 or height < 40 or not np.isfinite(f).all():
            continue
        x, y, r = (f[0] + f[2]) / 2, (f[1] + f[3]) / 2 - 0.05 * height, 1.15 * height
        x0, y0 = (int(max(v - r, 0)) for v in (x, y))
        chip = item.image[y0 : int(y + r), x0 : int(x + r)]
        scale = min(1.0, 170 / height)
        if scale < 1:
            chip = cv2.resize(chip, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        face = f[None].copy()
        face[:, [0, 2, 5, 7, 9, 11, 13]] -= x0
        face[:, [1, 3, 6, 8, 10, 12, 14]] -= y0
        face[:, [*range(4), *range(5, 15)]] *= scale
        out.append(Item(np.ascontiguousarray(chip), face))
    return out


class Views:
    def __init__(self, cache: Path, seed: int) -> None:
        self.seed = seed
        self.frames = [load(cache, name) for name in SHARES]
        self.frames = [[i for i in items if len(i.faces) and i.faces[:, 4].max() > 0.6] for items in self.frames]
        self.shares = np.array(list(SHARES.values())) / sum(SHARES.values())
        self.heads = [[h for item in items for h in heads(item)] for items in self.frames]
        self.tiny = [h for item in load(cache, "tiny") for h in heads(item)]
        grounds = [item for name in media.BACKGROUNDS for item in load(cache, name)]
        self.grounds = [g.image for g in grounds if g.faces[:, 4].max(initial=0) < 0.6 and min(g.image.shape) >= 32]
        self.random = np.random.default_rng(seed)

    def background(self, h: int, w: int) -> np.ndarray:
        r = self.random
        image = self.grounds[r.integers(len(self.grounds))]
        scale = max(h / image.shape[0], w / image.shape[1]) * np.exp(r.uniform(0, 0.9))
        ch, cw = min(max(int(h / scale), 1), image.shape[0]), min(max(int(w / scale), 1), image.shape[1])
        y, x = r.integers(image.shape[0] - ch + 1), r.integers(image.shape[1] - cw + 1)
        out = cv2.resize(
            image[y : y + ch, x : x + cw], (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        return out[:, ::-1].copy() if r.random() < 0.5 else out

    def height(self, low: float, high: float) -> float:
        return float(np.exp(self.random.uniform(np.log(low), np.log(max(high, low + 1)))))

    def similarity(self, face: np.ndarray, height: float, place: tuple[float, float]) -> tuple[np.ndarray, float]:
        """Takes the face to a height and a place, turned by some angle (also returned, radians)."""
        r = self.random
        angle = np.deg2rad(np.clip(r.normal(0, 9), -28, 28) if r.random() < 0.8 else r.uniform(-28, 28))
        scale = height / (face[3] - face[1])
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        m = np.array([[c, -s, 0], [s, c, 0]])
        m[:, 2] = np.array(place) - m[:, :2] @ ((face[:2] + face[2:4]) / 2)
        return m, angle

    def moved_frame(self, h: int, w: int, low: float, high: float) -> Item:
        """A whole picture around one of its faces, with what else is in it."""
        r = self.random
        pool = self.frames[r.choice(len(self.frames), p=self.shares)]
        item = pool[r.integers(len(pool))]
        image, faces = item.image, item.faces
        if r.random() < 0.5:
            image, faces = image[:, ::-1], mirrored(faces, image.shape[1])
        face = faces[r.choice(np.where(faces[:, 4] > 0.6)[0])]
        height = self.height(low, min(high, 1.15 * h, 4 * (face[3] - face[1])))
        m, _ = self.similarity(face, height, (r.uniform(0.1, 0.9) * w, r.uniform(0.15, 0.85) * h))
        image, small = shrunk(np.ascontiguousarray(image), m)
        if r.random() < 0.75:
            out = self.background(h, w)
            cv2.warpAffine(image, small, (w, h), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        else:
            out = cv2.warpAffine(image, small, (w, h), flags=cv2.INTER_LINEAR, borderValue=int(r.integers(255)))
        return Item(out, moved(faces, m))

    def paste(self, out, chip, m, centre, radii, angle: float, soft: float) -> None:
        """Draws the chip through m inside a soft ellipse (centre, radii and edge in pixels of `out`)."""
        h, w = out.shape
        reach = max(radii) + soft + 2
        x0, y0 = (int(max(v - reach, 0)) for v in centre)
        x1, y1 = int(min(centre[0] + reach, w)), int(min(centre[1] + reach, h))
        if x1 - x0 < 4 or y1 - y0 < 4:
            return
        chip, m = shrunk(chip, m)
        m[:, 2] -= (x0, y0)
        size = (x1 - x0, y1 - y0)
        drawn = cv2.warpAffine(chip, m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        covered = cv2.warpAffine(np.full(chip.shape, 255, np.uint8), m, size)
        mask = np.zeros(covered.shape, np.uint8)
        middle = (int(centre[0] - x0), int(centre[1] - y0))
        cv2.ellipse(mask, middle, tuple(max(int(v), 2) for v in radii), float(np.rad2deg(angle)), 0, 360, 255, -1)
        width = int(soft) * 2 + 1
        mask = cv2.min(cv2.blur(cv2.min(mask, covered), (width, width)), covered)
        window = out[y0:y1, x0:x1]
        window[:] = (window + (drawn.astype(np.float32) - window) * (mask * np.float32(1 / 255))).astype(np.uint8)

    def pasted_heads(self, h: int, w: int, low: float, high: float, count: int) -> Item:
        """Heads on a background, and ellipses that hold no face, cut in the same way."""
        r = self.random
        out = self.background(h, w)
        faces, taken = [], []

        def free(x: float, y: float, size: float, margin: float) -> bool:
            return all(abs(x - a) > margin * (size + b) or abs(y - c) > margin * (size + b) for a, c, b in taken)

        largest = self.height(low, min(high, h))
        for i in range(count):
            pool = self.heads[r.choice(len(self.heads), p=self.shares)]
            size = largest if i == 0 else self.height(low, min(largest * 1.2, h * 0.5))
            if size < 50 and r.random() < 0.2:
                pool = self.tiny
            item = pool[r.integers(len(pool))]
            chip, face = item.image, item.faces
            if r.random() < 0.5:
                chip, face = np.ascontiguousarray(chip[:, ::-1]), mirrored(face, chip.shape[1])
            size = min(size, 3 * (face[0, 3] - face[0, 1]))
            x, y = r.uniform(0.06, 0.94) * w, r.uniform(0.1, 0.9) * h
            if not free(x, y, size, 0.8):
                continue
            taken.append((x, y, size))
            m, angle = self.similarity(face[0], size, (x, y))
            if r.random() < 0.8:
                chip = self.relit(chip)
            width = (face[0, 2] - face[0, 0]) * np.hypot(m[0, 0], m[1, 0])
            radii = width * r.uniform(0.62, 1.3), size * r.uniform(0.6, 1.1)
            self.paste(
                out, chip, m, (x, y - size * r.uniform(-0.05, 0.15)), radii, angle, 1 + size * r.uniform(0.01, 0.12)
            )
            faces.append(moved(face, m))
        for _ in range(int(r.random() < 0.5) + int(r.random() < 0.3)):
            size = self.height(low, high)
            x, y = r.uniform(0, w), r.uniform(0, h)
            if not free(x, y, size, 1.0):
                continue
            chip = self.background(int(size) + 8, int(size) + 8)
            m = np.array([[1.0, 0, x - chip.shape[1] / 2], [0, 1, y - chip.shape[0] / 2]])
            radii = size * r.uniform(0.3, 0.6), size * r.uniform(0.4, 0.6)
            self.paste(out, chip, m, (x, y), radii, 0, 1 + size * r.uniform(0.01, 0.1))
        return Item(out, np.concatenate(faces) if faces else np.zeros((0, 15), np.float32))

    def relit(self, image: np.ndarray) -> np.ndarray:
        r = self.random
        levels = 255 * (np.arange(256) / 255.0) ** np.exp(r.normal(0, 0.35)) * r.uniform(0.5, 1.25) + r.uniform(-30, 25)
        return cv2.LUT(image, levels.clip(0, 255).astype(np.uint8))

    def occlude(self, image: np.ndarray, face: np.ndarray) -> None:
        """A hand, a scarf, the edge of something: a patch over one side of the face."""
        r = self.random
        h, w = image.shape
        fw, fh = face[2] - face[0], face[3] - face[1]
        pw, ph = fw * r.uniform(0.25, 0.6), fh * r.uniform(0.2, 0.45)
        side = r.integers(4)
        x = face[0] + fw * ((-0.05, 1.05, 0.5, 0.5)[side] + r.normal(0, 0.1))
        y = face[1] + fh * ((0.5, 0.5, -0.02, 0.98)[side] + r.normal(0, 0.1))
        x0, y0, x1, y1 = (
            int(max(x - pw / 2, 0)),
            int(max(y - ph / 2, 0)),
            int(min(x + pw / 2, w)),
            int(min(y + ph / 2, h)),
        )
        if x1 - x0 > 2 and y1 - y0 > 2:
            image[y0:y1, x0:x1] = self.background(y1 - y0, x1 - x0) if r.random() < 0.6 else r.integers(255)

    def spoilt(self, image: np.ndarray, faces: np.ndarray) -> np.ndarray:
        r = self.random
        h, w = image.shape
        for face in faces:
            if r.random() < 0.15:
                self.occlude(image, face)
        x = image.astype(np.float32) * np.float32(1 / 255)
        if len(faces) and r.random() < 0.3:  # light behind the face, or from one side
            f = faces[r.integers(len(faces))]
            size = max(f[3] - f[1], 20) * r.uniform(0.8, 2.2)
            dy, dx = ((np.arange(n, dtype=np.float32) - (f[k] + f[k + 2]) / 2) / size for n, k in ((h, 1), (w, 0)))
            if r.random() < 0.6:
                around = r.uniform(1.0, 2.2)
                x *= (around + (r.uniform(0.15, 0.7) - around) * np.outer(np.exp(-(dy**2)), np.exp(-(dx**2)))).astype(
                    np.float32
                )
            else:
                turn, strength = r.uniform(0, 2 * np.pi), r.uniform(-0.9, 0.9)
                slope = np.add.outer(dy * np.sin(turn), dx * np.cos(turn))
                x *= (1 + strength * slope).clip(0.12, 2).astype(np.float32)
        if r.random() < 0.8:
            x = x.clip(0, 1) ** np.float32(np.exp(r.normal(0, 0.4)))
            x = x * np.float32(np.exp(r.normal(-0.25, 0.5))) + np.float32(r.normal(0, 0.05))
        if r.random() < 0.15:
            x *= np.float32(r.uniform(0.08, 0.3))
        if r.random() < 0.4:
            k = r.uniform(0.4, 1.8)
            if r.random() < 0.7:
                x = cv2.GaussianBlur(x, (0, 0), k)
            else:
                x = cv2.blur(x, (int(2 + 2 * k), 1) if r.random() < 0.7 else (1, int(2 + 2 * k)))
        if r.random() < 0.6:
            x = x + r.standard_normal(x.shape, np.float32) * np.float32(np.exp(r.uniform(np.log(0.004), np.log(0.06))))
        if r.random() < 0.2:  # automatic exposure brings a dark picture back up, noise included
            x = (x - x.min()) / max(float(np.ptp(x)), 0.05)
        out = (x.clip(0, 1) * 255).astype(np.uint8)
        if r.random() < 0.3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(r.integers(18, 90))]
            out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_GRAYSCALE)
        return out

    def one(self, h: int, w: int, low: float, high: float) -> Item:
        r = self.random
        kind = r.random()
        if kind < 0.40:
            item = self.moved_frame(h, w, low, high)
        elif kind < 0.84:
            item = self.pasted_heads(
                h, w, low, high, 1 + int(r.random() < 0.45) + int(r.random() < 0.25) + int(r.random() < 0.15)
            )
        else:
            item = self.pasted_heads(h, w, low, high, 0)
        image = self.spoilt(np.ascontiguousarray(item.image), item.faces)
        return Item(image, labelled(item.faces, h, w))

    def batch(self, number: int) -> list[Item]:
        self.random = np.random.default_rng([self.seed, number])
        h, w, count, low, high = BATCHES[number % len(BATCHES)]
        return [self.one(h, w, low, high) for _ in range(count)]


def labelled(faces: np.ndarray, h: int, w: int) -> np.ndarray:
    """Drops what is out of sight; what is doubtful, too small or cut off gets score 0: ignored."""
    faces = faces.copy()
    size = faces[:, 2:4] - faces[:, :2]
    inside = np.minimum(faces[:, 2:4], (w, h)) - np.maximum(faces[:, :2], 0)
    seen = np.prod(inside.clip(0), 1) / (np.prod(size, 1) + 1e-6)
    faces[(faces[:, 4] < DOUBTFUL) | (size[:, 1] < SMALLEST) | (seen < VISIBLE), 4] = 0
    return faces[seen > 0.02].astype(np.float32)
