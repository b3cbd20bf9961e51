"""Prints and screens made of portraits: what a second camera sees of a picture. BGR uint8 in and out, all chance from r.

It need not be perfect: the teacher says what each view looks like to it, and the student learns the answer.
"""

from __future__ import annotations

import cv2
import numpy as np

Rng = np.random.Generator


def grid(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))


def waves(shape: tuple[int, ...], r: Rng, period: tuple[float, float]) -> np.ndarray:
    """A sinusoid over the picture, bent a little: moire, halftone, refresh bands."""
    x, y = grid(shape)
    angle = r.choice([0, np.pi / 2, r.uniform(0, np.pi)])
    length = np.exp(r.uniform(*np.log(period)))
    bend = cv2.resize(
        r.normal(0, r.uniform(0, 5), (4, 4)).astype(np.float32), shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    return np.cos((x * np.cos(angle) + y * np.sin(angle) + bend) * (2 * np.pi / length) + r.uniform(0, 6.28))


def printed(picture: np.ndarray, r: Rng) -> np.ndarray:
    """Ink and paper: less color, less contrast, screen dots, grain, uneven light."""
    f = picture.astype(np.float32) / 255
    gray = f.mean(2, keepdims=True)
    f = gray + (f - gray) * (0 if r.random() < 0.1 else r.uniform(0.4, 1))
    f = f ** np.exp(r.normal(0, 0.25))
    if r.random() < 0.5:
        dots = waves(f.shape, r, (1.6, 5)) * waves(f.shape, r, (1.6, 5))
        f = f + r.uniform(0.05, 0.3) * dots[..., None] * (4 * f * (1 - f) + 0.1)
    elif r.random() < 0.5:
        f = f + r.normal(0, r.uniform(0.01, 0.05), (*f.shape[:2], 1)).astype(np.float32)
    low, high = r.uniform(0.02, 0.2), r.uniform(0.72, 1)
    f = (low + f * (high - low)) * (1 + r.normal(0, 0.04, 3).astype(np.float32))
    light = cv2.resize(
        r.normal(0, r.uniform(0.02, 0.12), (3, 3)).astype(np.float32), f.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    return np.clip(f * (1 + light[..., None]) * 255, 0, 255).astype(np.uint8)


def screened(picture: np.ndarray, r: Rng) -> np.ndarray:
    """A display: gamma, tint, its grid seen through the camera's, bands, veil and reflections."""
    f = (picture.astype(np.float32) / 255) ** np.exp(r.normal(-0.1, 0.3))
    f = f * np.array([r.uniform(0.95, 1.25), 1, r.uniform(0.8, 1.05)], np.float32)
    for _ in range(r.integers(0, 4)):
        strength = r.uniform(0.015, 0.13)
        if r.random() < 0.5:
            f = f * (1 + strength * waves(f.shape, r, (2.2, 40)))[..., None]
        else:
            f = f * (1 + strength * np.stack([waves(f.shape, r, (2.2, 40))] * 2 + [waves(f.shape, r, (2.2, 40))], 2))
    if r.random() < 0.25:
        f = f * (1 + r.uniform(0.03, 0.15) * waves(f.shape, r, (40, 260)))[..., None]
    if r.random() < 0.3:
        f = f * r.uniform(0.8, 1) + r.uniform(0.02, 0.15)
    if r.random() < 0.3:
        x, y = grid(f.shape)
        cx, cy, s = r.uniform(0, f.shape[1]), r.uniform(0, f.shape[0]), r.uniform(8, 70)
        f = f + (r.uniform(0.15, 0.8) * np.exp(-(((x - cx) / s) ** 2) - ((y - cy) / s) ** 2))[..., None]
    return np.clip(f * r.uniform(0.9, 1.3) * 255, 0, 255).astype(np.uint8)


def scene(
    picture: np.ndarray, box: np.ndarray, room: np.ndarray, r: Rng, kind: str, close: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The picture held or standing before a room; kind: live (cut out, soft edge), print or screen (edges, bezel, tilt).

    Returns the frame, three to five faces wide and high (close: about two, in more pixels), and the face's box in it.
    """
    x, y, w, h = box
    face = r.uniform(120, 200) if close else r.uniform(50, 110)  # pixels
    size = int(face * (r.uniform(1.7, 2.6) if close else r.uniform(3, 5)))
    scale = face / h
    room = cv2.resize(room, (size, size), interpolation=cv2.INTER_AREA)
    gain = np.exp(r.normal(0, 0.12, 3)).astype(np.float32)
    frame = np.clip(room * gain + r.normal(0, 8), 0, 255).astype(np.float32)
    at = np.array([size / 2 + r.uniform(-0.1, 0.1) * size, size * r.uniform(0.35, 0.55)])
    if kind == "live":  # nobody ends above the frame's lower edge
        at[1] = min(max(at[1], size - (picture.shape[0] - y - h / 2) * scale), 0.75 * size)
    spin = r.normal(0, 4 if kind == "live" else 7) * np.pi / 180
    turn = scale * np.array([[np.cos(spin), -np.sin(spin)], [np.sin(spin), np.cos(spin)]])
    matrix = np.eye(3, dtype=np.float32)
    matrix[:2, :2] = turn
    matrix[:2, 2] = at - turn @ np.array([x + w / 2, y + h / 2])
    shape = picture.shape
    if kind == "live":
        mask = np.zeros(shape[:2], np.float32)
        center = (int(x + w / 2), int(y + h / 2))
        cv2.ellipse(mask, center, (int(h * 0.62), int(h * 0.78)), 0, 0, 360, 1.0, -1)
        cv2.ellipse(mask, (center[0], int(center[1] + h * 1.75)), (int(h * 1.15), int(h * 1.2)), 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), h * 0.04)
        source = picture
    else:
        source = printed(picture, r) if kind == "print" else screened(picture, r)
        # The picture may be trimmed nearly to the face: prints of heads alone.
        space = (max(0, x), max(0, y), max(0, shape[1] - x - w), max(0, shape[0] - y - h))
        cuts = [int(s * r.uniform(0, 0.8)) if r.random() < 0.5 else 0 for s in space]
        x0, y0, x1, y1 = cuts[0], cuts[1], shape[1] - cuts[2], shape[0] - cuts[3]
        mask = np.zeros(shape[:2], np.float32)
        mask[y0:y1, x0:x1] = 1
        corners = np.float32([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        tilt = r.normal(0, 0.06 * h, (4, 2)).astype(np.float32)
        matrix = matrix @ cv2.getPerspectiveTransform(corners, corners + tilt)
        if r.random() < 0.8:
            edge = h * r.uniform(0.03, 0.5, 4)
            rim = corners + np.float32(
                [[-edge[0], -edge[1]], [edge[2], -edge[1]], [edge[2], edge[3]], [-edge[0], edge[3]]]
            )
            rim = cv2.perspectiveTransform(rim[None], matrix)[0]
            dark = kind == "screen" and r.random() < 0.75
            color = r.normal(0, 6, 3) + (r.uniform(5, 60) if dark else r.uniform(180, 255))
            cv2.fillConvexPoly(frame, rim.astype(np.int32), color.tolist(), cv2.LINE_AA)
    front = cv2.warpPerspective(source, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(mask, matrix, (size, size), flags=cv2.INTER_LINEAR)[..., None]
    frame = front * mask + frame * (1 - mask)
    if kind != "live" and r.random() < 0.7:
        frame = cv2.GaussianBlur(frame, (0, 0), r.uniform(0.4, 1.2))  # the second camera
    corners = cv2.perspectiveTransform(np.float32([[[x, y], [x + w, y], [x + w, y + h], [x, y + h]]]), matrix)[0]
    center, side = corners.mean(0), np.float32([w, h]) * scale
    return np.clip(frame, 0, 255).astype(np.uint8), np.float32([*(center - side / 2), *side])
