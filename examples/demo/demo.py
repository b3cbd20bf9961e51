#!/usr/bin/env python3
"""What `./dev demo` runs: scores pictures with the `liveness` program and writes an annotated contact sheet.

Without inputs it scores the public-domain portrait of the astronaut Eileen Collins that scikit-image carries (NASA),
and two presentation attacks made from it by simulation: a print held before the camera and a replay on a phone. A
simulated attack shows that the pipeline works; it says nothing about how well real attacks are found.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np
from skimage import data, draw, filters, io, transform

FRAME = (480, 640)  # rows, columns


def portrait_frame() -> np.ndarray:
    """The portrait as a camera would frame it, float RGB in 0..1."""
    picture = data.astronaut()[0:384] / 255.0
    return transform.resize(picture, FRAME, anti_aliasing=True)


def background(rng: np.random.Generator) -> np.ndarray:
    """A blurred room: large patches of muted colour."""
    patches = rng.uniform(0.25, 0.6, (6, 8, 1)) + rng.uniform(-0.06, 0.06, (6, 8, 3))
    return np.clip(transform.resize(patches, FRAME, order=3), 0, 1)


def place(scene: np.ndarray, card: np.ndarray, corners: list[tuple[float, float]], blur: float) -> np.ndarray:
    """The card seen in perspective: its corners (clockwise from top left) land on `corners` (x, y) of the scene."""
    rows, columns = card.shape[:2]
    source = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], float)
    matrix = transform.ProjectiveTransform.from_estimate(np.array(corners, float), source)
    seen = transform.warp(card, matrix, output_shape=FRAME, order=1)
    mask = transform.warp(np.ones((rows, columns)), matrix, output_shape=FRAME, order=1)[..., None]
    return filters.gaussian(scene * (1 - mask) + seen * mask, blur, channel_axis=2)


def camera(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sensor noise and 8 bits."""
    return (np.clip(scene + rng.normal(0, 0.012, scene.shape), 0, 1) * 255 + 0.5).astype(np.uint8)


def print_attack(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour print on paper: white border, small gamut, halftone dots, uneven light, held at an angle."""
    photo = transform.resize(frame[20:470, 150:520], (900, 740), anti_aliasing=True)
    photo = 0.16 + 0.66 * (0.8 * photo + 0.2 * photo.mean(axis=2, keepdims=True))  # ink is not black, paper not bright
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]]
    for channel, angle in enumerate((0.26, 1.31, 0.0)):  # screen angles of the three inks
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        photo[..., channel] += 0.05 * np.sin(u * 1.3) * np.sin(v * 1.3)
    paper = np.full((1000, 840, 3), (0.86, 0.85, 0.81))
    paper[50:950, 50:790] = photo
    paper *= np.linspace(1.08, 0.82, paper.shape[1])[None, :, None]
    return camera(place(background(rng), paper, [(165, 22), (492, 40), (478, 462), (150, 446)], 0.9), rng)


def replay_attack(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A phone that plays the picture: bezel, bluish backlight, sub-pixel stripes that the camera sees as moire, a reflection."""
    screen = transform.resize(frame[0:480, 170:500], (1200, 825), anti_aliasing=True) ** 0.85
    screen = screen * (0.92, 0.98, 1.08) + 0.05
    stripes = 1 + 0.25 * np.cos(2 * np.pi * (np.arange(screen.shape[1])[:, None] / 3.0 + np.array([0, 1, 2]) / 3.0))
    screen *= stripes[None]
    screen *= (1 + 0.06 * np.cos(2 * np.pi * np.arange(screen.shape[0]) / 2.7))[:, None, None]
    phone = np.full((1300, 905, 3), 0.03)
    phone[50:1250, 40:865] = np.clip(screen, 0, 1)
    glare = np.zeros(phone.shape[:2])
    glare[draw.polygon([0, 0, 700, 420], [560, 760, 905, 905], glare.shape)] = 0.16
    phone += filters.gaussian(glare, 25)[..., None]
    return camera(place(background(rng), np.clip(phone, 0, 1), [(176, 8), (470, 14), (462, 472), (182, 468)], 0.6), rng)


def demo_inputs(out: pathlib.Path) -> list[pathlib.Path]:
    rng = np.random.default_rng(1)
    frame = portrait_frame()
    pictures = {
        "portrait.png": camera(frame, rng),
        "print_attack.png": print_attack(frame, rng),
        "replay_attack.png": replay_attack(frame, rng),
    }
    for name, picture in pictures.items():
        io.imsave(out / name, picture, check_contrast=False)
    return [out / name for name in pictures]


def main() -> int:
    parser = argparse.ArgumentParser(description="Score pictures, videos or cameras; none: a portrait and simulated attacks.")
    parser.add_argument("--liveness", required=True, help="the liveness program")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/demo"), help="folder for pictures and the sheet")
    parser.add_argument("inputs", nargs="*", help="pictures, videos, folders")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    inputs = args.inputs or demo_inputs(args.out)
    sheet = args.out / "sheet.png"
    code = subprocess.call([args.liveness, "score", *map(str, inputs), "--sheet", str(sheet)])
    if sheet.exists():
        print(f"contact sheet: {sheet}")
    return code


if __name__ == "__main__":
    sys.exit(main())
