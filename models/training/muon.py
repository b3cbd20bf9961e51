"""Steps of equal size in every direction of a layer (Jordan et al., "Muon: an optimizer for hidden layers in neural
networks", 2024), scaled to the size of AdamW's steps (Liu et al., "Muon is scalable for LLM training", 2025, eq. 4)."""

from __future__ import annotations

from collections.abc import Iterable

import torch


def orthogonal(g: torch.Tensor) -> torch.Tensor:
    """Nearly the orthogonal factor of g (rows, columns), by five steps of Newton and Schulz."""
    wide = g.shape[0] <= g.shape[1]
    x = (g if wide else g.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return (x if wide else x.T).float()


class Muon(torch.optim.Optimizer):
    """For weights of convolutions, (out, in, height, width): a matrix of `out` rows."""

    def __init__(self, params: Iterable[torch.Tensor], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad.reshape(len(p), -1)
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(g)
                m = state["momentum"].lerp_(g, 1 - group["momentum"])
                update = orthogonal(g.lerp(m, group["momentum"]))
                size = 0.2 * max(update.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.reshape(p.shape), alpha=-group["lr"] * size)
