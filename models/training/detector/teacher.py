"""YuNet (MIT licence) through ONNX Runtime: the teacher, and at 320 pixels a detector to compare with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime

STRIDES = (8, 16, 32)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of each box of a (x0 y0 x1 y1) with each of b."""
    size = np.minimum(a[:, None, 2:4], b[None, :, 2:4]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = np.prod(np.clip(size, 0, None), 2)
    area_a, area_b = (np.prod(c[:, 2:4] - c[:, :2], 1) for c in (a, b))
    return both / (area_a[:, None] + area_b[None] - both + 1e-9)


def suppress(faces: np.ndarray, limit: float, average: bool = False) -> np.ndarray:
    """Greedy suppression of rows x0 y0 x1 y1 score, five points; average: detector.nms_average of the contract."""
    faces = faces[np.argsort(-faces[:, 4], kind="stable")]
    kept = []
    while len(faces):
        shared = overlaps(faces[:1], faces)[0]
        shared[0] = 1
        best = faces[0].copy()
        if average:
            near = faces[shared >= 0.5]
            weight = near[:, 4:5] ** 4
            best[:4] = (near[:, :4] * weight).sum(0) / weight.sum()
            best[5:] = (near[:, 5:] * weight).sum(0) / weight.sum()
        kept.append(best)
        faces = faces[shared <= limit]
    return np.array(kept, np.float32).reshape(-1, 15)


def letterboxed(image: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture in the top left of a black one, and what takes x and y back."""
    scale = min(width / image.shape[1], height / image.shape[0])
    w, h = (max(1, round(v * scale)) for v in (image.shape[1], image.shape[0]))
    out = np.zeros((height, width, *image.shape[2:]), np.uint8)
    out[:h, :w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return out, np.array([image.shape[1] / w, image.shape[0] / h], np.float32)


class YuNet:
    def __init__(self, path: Path) -> None:
        """The published files have one size; the network takes any multiple of 32 once that is freed."""
        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            for i, dim in enumerate(value.type.tensor_type.shape.dim):
                if i > 0:
                    dim.dim_param = f"{value.name}_{i}"
        model.graph.ClearField("value_info")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.names = [f"{role}_{stride}" for role in ("cls", "obj", "bbox", "kps") for stride in STRIDES]

    def __call__(self, image: np.ndarray, size: int, threshold: float) -> np.ndarray:
        """Faces of a BGR picture, looked at in size x size: rows x0 y0 x1 y1 score, five points, in its own pixels."""
        pixels, back = letterboxed(image, size, size)
        values = pixels.transpose(2, 0, 1)[None].astype(np.float32)
        out = dict(zip(self.names, self.session.run(self.names, {"input": values}), strict=True))
        rows = []
        for s in STRIDES:
            score = np.sqrt(out[f"cls_{s}"].ravel().clip(0, 1) * out[f"obj_{s}"].ravel().clip(0, 1))
            i = np.where(score > threshold)[0]
            cell = np.stack([i % (size // s), i // (size // s)], 1).astype(np.float32)
            box = out[f"bbox_{s}"].reshape(-1, 4)[i]
            centre, half = (cell + box[:, :2]) * s, np.exp(box[:, 2:]) * s / 2
            points = (out[f"kps_{s}"].reshape(-1, 5, 2)[i] + cell[:, None]) * s
            rows.append(np.concatenate([centre - half, centre + half, score[i, None], points.reshape(-1, 10)], 1))
        faces = suppress(np.concatenate(rows).astype(np.float32), 0.3)
        faces[:, :4] *= np.tile(back, 2)
        faces[:, 5:] *= np.tile(back, 5)
        return faces
