"""The student: plain 3x3 convolutions, which train three times faster on a CPU than inverted residuals of as many MACs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2  # below zero; a learned slope would cost a quarter of the training time on a CPU
MEAN, STD = 127.5, 64.0  # of a pixel, 0..255

# Steps of (kind, channels): "down" 3x3 stride 2, "one" x + conv(x), "two" x + conv(conv(x)), "point" 1x1. The last map,
# 5x5 places, is weighed place by place in each channel, as the teacher's is.
SIZES = {
    "default": [
        ("down", 32),
        ("down", 32),
        ("one", 32),
        ("down", 64),
        ("one", 64),
        ("down", 112),
        ("one", 112),
        ("point", 128),
    ],
    "tiny": [("down", 16), ("down", 16), ("down", 32), ("one", 32), ("down", 64), ("one", 64), ("point", 64)],
}


class Step(nn.Module):
    def __init__(self, kind: str, channels: int, out: int) -> None:
        super().__init__()
        size, stride = (1 if kind == "point" else 3), (2 if kind == "down" else 1)
        self.first = nn.Conv2d(channels, out, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.skip = kind in ("one", "two")
        self.second = None
        if kind == "two":
            self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.second is None:
            y = self.norm(self.first(x))
            return F.leaky_relu_(x + y if self.skip else y, SLOPE)
        y = self.norm2(self.second(F.leaky_relu_(self.norm(self.first(x)), SLOPE)))
        return F.leaky_relu_(x + y, SLOPE)


class Student(nn.Module):
    """(batch, 3, 80, 80) pixels 0..255, BGR, to 3 logits: the teacher's classes."""

    def __init__(self, size: str) -> None:
        super().__init__()
        widths = [3] + [c for _, c in SIZES[size]]
        self.steps = nn.Sequential(*[Step(k, widths[i], c) for i, (k, c) in enumerate(SIZES[size])])
        self.places = nn.Conv2d(widths[-1], widths[-1], 5, groups=widths[-1], bias=False)
        nn.init.constant_(self.places.weight, 1 / 25)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], 3)

    def inside(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The maps of 10x10 and of 5x5 places, and the numbers before the logits."""
        x = (x - MEAN) / STD
        middle = x
        for step in self.steps:
            x = step(x)
            middle = x if x.shape[-1] == 10 else middle
        return middle, x, self.norm(self.places(x)).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.inside(x)[2])

    def macs(self) -> int:
        total = self.head.weight.numel()

        def count(layer: nn.Conv2d, _: Any, y: torch.Tensor) -> None:
            nonlocal total
            total += y[0, 0].numel() * layer.weight.numel()

        hooks = [m.register_forward_hook(count) for m in self.modules() if isinstance(m, nn.Conv2d)]
        with torch.no_grad():
            self.eval()(torch.zeros(1, 3, 80, 80))
        for hook in hooks:
            hook.remove()
        return total


def trained(path: Path) -> tuple[Student, dict[str, Any]]:
    """The network of a checkpoint of train.py, ready to be asked, and all that the checkpoint says."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    student = Student(saved["size"])
    student.load_state_dict(saved["mean"])
    return student.eval(), saved


def values(views: np.ndarray) -> torch.Tensor:
    """uint8 (count, 80, 80, 3) as the student takes it; the layout in memory stays pixel by pixel."""
    return torch.from_numpy(views).permute(0, 3, 1, 2).to(torch.float32)


def log_odds(logits: torch.Tensor, live: int = 1) -> torch.Tensor:
    others = [i for i in range(logits.shape[1]) if i != live]
    return logits[:, live] - torch.logsumexp(logits[:, others], 1)
