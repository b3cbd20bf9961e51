"""A made-up clip for a fake camera: the demo's portrait, gently moving, then an attack simulated from it."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "demo"))
import demo  # noqa: E402

FPS = 30  # what Chromium takes an MJPEG file for


def moved(picture: np.ndarray, seconds: float, fps: float = FPS, seed: int = 1) -> Iterator[np.ndarray]:
    """The picture (uint8 RGB) as a hand-held camera sees it: small movements, sensor noise."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    whole = Image.fromarray(picture)
    for i in range(round(seconds * fps)):
        t = i / fps
        scale = 1 / (1.06 + 0.015 * np.sin(1.1 * t))
        left = (width - width * scale) / 2 + 5 * np.sin(1.7 * t)
        top = (height - height * scale) / 2 + 4 * np.sin(2.3 * t)
        seen = whole.transform((width, height), Image.Transform.AFFINE, (scale, 0, left, 0, scale, top), Image.Resampling.BICUBIC)
        grain = rng.integers(-4, 5, (height, width, 1), dtype=np.int16)
        yield np.clip(np.asarray(seen, np.int16) + grain, 0, 255).astype(np.uint8)


def portrait() -> np.ndarray:
    return (demo.portrait_frame() * 255 + 0.5).astype(np.uint8)


def attack() -> np.ndarray:
    return demo.replay_attack(demo.portrait_frame(), np.random.default_rng(1))


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


def write(path: Path, live_seconds: float, attack_seconds: float) -> None:
    """An MJPEG file: JPEG pictures one after the other."""
    with path.open("wb") as file:
        for picture, seconds in ((portrait(), live_seconds), (attack(), attack_seconds)):
            for frame in moved(picture, seconds):
                file.write(jpeg(frame))
