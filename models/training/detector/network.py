"""The detector: a grey picture in, one map a stride out (detector.decode `grid` of docs/model_format.md)."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

STRIDES = (8, 16)
MEAN, STD = 128.0, 64.0


class Conv(nn.Sequential):
    def __init__(self, i: int, o: int, kernel: int = 1, stride: int = 1, group: int = 1, relu: bool = True) -> None:
        conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=group, bias=False)
        super().__init__(conv, nn.BatchNorm2d(o, momentum=0.05), *([nn.ReLU()] if relu else []))


class Separable(nn.Sequential):
    """Linear depthwise convolution, then 1 x 1 with ReLU."""

    def __init__(self, i: int, o: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(Conv(i, i, kernel, stride, i, relu=False), Conv(i, o))


class Detector(nn.Module):
    """Channels are multiples of 16, as the engine likes them; BatchNorm folds away (fused)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(1, 16, 3, 2), Separable(16, 16, 3, 2))
        self.fine = nn.Sequential(Separable(16, 48, 3, 2), Separable(48, 48, 3), Separable(48, 48, 5))
        self.coarse = nn.Sequential(Separable(48, 64, 3, 2), Separable(64, 64, 5), Separable(64, 64, 5))
        self.lateral = Conv(64, 48)
        self.heads = nn.ModuleList([nn.Conv2d(48, 15, 1), nn.Conv2d(64, 15, 1)])
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            head.bias.data[0] = -4.0  # faces are rare
            head.bias.data[3:5] = 1.1  # about three strides wide

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x: batch x 1 x height x width, (grey - MEAN) / STD, sides multiples of 16. A map of 15 channels a stride."""
        fine = self.fine(self.stem(x))
        coarse = self.coarse(fine)
        fine = fine + F.interpolate(self.lateral(coarse), scale_factor=2.0, mode="nearest")
        return self.heads[0](fine), self.heads[1](coarse)


def decode(maps: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """batch x cells x 15: x0 y0 x1 y1 in pixels, logit, five points in pixels; all strides after each other."""
    found = []
    for m, stride in zip(maps, STRIDES, strict=True):
        n, _, h, w = m.shape
        y, x = torch.meshgrid(torch.arange(h, dtype=m.dtype), torch.arange(w, dtype=m.dtype), indexing="ij")
        cell = torch.stack([x, y])[None]
        centre = (m[:, 1:3] + cell) * stride
        half = torch.exp(m[:, 3:5].clamp(-3, 4)) * stride / 2
        points = (m[:, 5:].reshape(n, 5, 2, h, w) + cell[:, None]).reshape(n, 10, h, w) * stride
        found.append(torch.cat([centre - half, centre + half, m[:, :1], points], 1).flatten(2).transpose(1, 2))
    return torch.cat(found, 1)


def fused(net: Detector) -> Detector:
    """A copy in which every BatchNorm is part of its convolution."""
    net = copy.deepcopy(net).eval()
    for module in net.modules():
        if isinstance(module, Conv):
            module[0] = torch.nn.utils.fusion.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return net


def parameters_and_macs(net: Detector, height: int, width: int) -> tuple[int, int]:
    """Of the fused network."""
    net = fused(net)
    macs: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, _, o: macs.append(o.shape[2] * o.shape[3] * m.weight.numel()))
    with torch.no_grad():
        net(torch.zeros(1, 1, height, width))
    return sum(p.numel() for p in net.parameters()), sum(macs)
