#!/usr/bin/env python3
"""Teaches the student the teacher's answers, view by view, without any label.

  train.py --work WORK --size default --rounds 200 [--replay 80] [--seed 1] [--tests WORK]

A round is one new shard of views.py, waited for where it is not there yet (see also --replay). Beside the logits it learns
what the teacher computes on the way to them (HINTS of views.py), through linear maps that are thrown away afterwards. The
rate falls as a cosine over all rounds; the weights that count are the moving mean. WORK/NAME.pt holds everything that is needed to go on after a
stop, also with other --rounds or --batch. With --tests, the held-out splits of evaluate.py are scored every few rounds:
nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from evaluate import agreement
from network import Student, log_odds, values
from origins import ORIGINS
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from muon import Muon  # noqa: E402

WARM, COUNT = 64_000, 8192  # views; in a shard
ADAM = 0.2  # rate of AdamW, which moves heads, norms and hints, in parts of Muon's
AGAIN = 64  # latest shards that a repetition is drawn from


HINTED = ("middle", "late", "features")


def load(work: Path, number: int) -> dict[str, np.ndarray]:
    path = work / "views" / f"{number:04}.npz"
    while not path.exists():
        time.sleep(1)
    with np.load(path) as file:
        return dict(file)


def pick_shard(number: int, replay: int, r: np.random.Generator) -> int:
    """A new shard a round; from round `replay` on every second round takes one of the 16 latest once more."""
    if number < replay:
        return number
    fresh = replay + (number - replay + 1) // 2
    return int(r.integers(max(0, fresh - AGAIN), fresh)) if (number - replay) % 2 else fresh


def distance(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Divergence of the answers, and the log-odds themselves, which must agree far from the decision too."""
    answers = F.kl_div(F.log_softmax(found, 1), F.log_softmax(wanted, 1), reduction="batchmean", log_target=True)
    return answers + 0.1 * F.smooth_l1_loss(log_odds(found), log_odds(wanted).clamp(-15, 15))


class Hints(nn.Module):
    """How far linear maps of what the student computes inside are from the teacher's, each number in its own spread."""

    def __init__(self, student: Student, rows: dict[str, np.ndarray]) -> None:
        super().__init__()
        with torch.no_grad():
            inside = student.inside(torch.zeros(2, 3, 80, 80))
        self.maps = nn.ModuleList(nn.Linear(x.shape[1], rows[n].shape[-1]) for n, x in zip(HINTED, inside, strict=True))
        for name in HINTED:
            some = rows[name][:1024].astype(np.float32).reshape(-1, rows[name].shape[-1])
            self.register_buffer(f"{name}_mean", torch.from_numpy(some.mean(0)))
            self.register_buffer(f"{name}_std", torch.from_numpy(some.std(0) + 1e-3))

    def forward(self, inside: tuple[torch.Tensor, ...], wanted: dict[str, torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(())
        for name, layer, x in zip(HINTED, self.maps, inside, strict=True):
            found = layer(x.permute(0, 2, 3, 1) if x.ndim == 4 else x).float()
            aim = (wanted[name].float() - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_std")
            total = total + F.mse_loss(found, aim)
        return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", default="default")
    parser.add_argument("--name", default="default", help="of the checkpoint and, as pad_NAME, of the package")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--replay", type=int, default=1 << 30, help="round from which every second is a repetition")
    parser.add_argument("--forget", action="store_true", help="remove shards that no later round can ask for")
    parser.add_argument("--hints", type=float, default=0.3, help="their weight beside the logits")
    parser.add_argument("--without", nargs="*", default=[], choices=ORIGINS, help="views of these sets are left out")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-2, help="of the convolutions; the rest has a part of it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--every", type=int, default=5, help="rounds between measurements")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    device = torch.device(args.device)
    student = Student(args.size)
    hints = Hints(student, load(args.work, 0)).to(device)
    student = student.to(device, memory_format=torch.channels_last)
    mean = copy.deepcopy(student).eval()
    # Slopes and norms are left out of the decay.
    learned = [*student.parameters(), *hints.parameters()]
    convolutions = [m.weight for m in student.steps.modules() if isinstance(m, nn.Conv2d)]
    inner = {id(p) for p in convolutions}
    heavy = [p for p in learned if p.ndim > 1 and id(p) not in inner]
    light = [p for p in learned if p.ndim <= 1]
    groups = [{"params": heavy, "weight_decay": 0.02}, {"params": light, "weight_decay": 0.0}]
    optimizers = [
        torch.optim.AdamW(groups, fused=True),
        Muon(convolutions, lr=args.rate, weight_decay=0.02),
    ]
    checkpoint = args.work / f"{args.name}.pt"
    begin, step, seen, latest, origins, curve = 0, 0, 0, -1, 0, []
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        student.load_state_dict(saved["student"])
        hints.load_state_dict(saved["hints"])
        mean.load_state_dict(saved["mean"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        begin, step, seen, curve = saved["round"], saved["step"], saved["seen"], saved["curve"]
        origins = saved.get("origins", 0)
        latest = curve[-1]["views"] // COUNT - 1
    unwanted = sum(1 << ORIGINS.index(name) for name in args.without)
    for number in range(begin, args.rounds):
        r = np.random.default_rng([args.seed, number])
        shard = pick_shard(number, args.replay, r)
        rows = load(args.work, shard)
        latest = max(latest, shard)
        if args.forget and latest > AGAIN:  # the first one stays: it tells the spread of the hints
            (args.work / "views" / f"{latest - AGAIN:04}.npz").unlink(missing_ok=True)
        order = r.permutation(np.flatnonzero((rows["origins"] & unwanted) == 0))
        origins |= int(np.bitwise_or.reduce(rows["origins"][order]))
        student.train()
        total = 0.0
        for i in range(0, len(order), args.batch):
            pick = order[i : i + args.batch]
            x = values(rows["views"][pick]).to(device)
            wanted = {n: torch.from_numpy(rows[n][pick]).to(device) for n in ("logits", *HINTED)}
            seen += len(pick)
            part = min(1, (number + i / len(order)) / args.rounds)
            pace = min(1, seen / WARM) * (0.5 + 0.5 * math.cos(math.pi * part)) + 1e-3
            for optimizer, rate in zip(optimizers, (args.rate * ADAM, args.rate), strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = rate * pace
            with torch.autocast(device.type, torch.bfloat16):
                inside = student.inside(x)
                beside = hints(inside, wanted) if args.hints else 0
            loss = distance(student.head(inside[2].float()), wanted["logits"])
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            (loss + args.hints * beside).backward()
            torch.nn.utils.clip_grad_norm_(learned, 2.0)
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            total += loss.item() * len(pick)
            keep = min(0.999, step / (step + 20))
            with torch.no_grad():
                for a, b in zip(mean.state_dict().values(), student.state_dict().values(), strict=True):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        line = {"round": number + 1, "views": (latest + 1) * COUNT, "seen": seen, "batch": args.batch}
        line |= {"loss": round(total / len(order), 4)}
        if args.tests and ((number + 1) % args.every == 0 or number + 1 == args.rounds):
            line |= {"tests": agreement(mean, args.tests)}
        curve.append(line)
        state = {"student": student.state_dict(), "mean": mean.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
        state |= {"hints": hints.state_dict(), "origins": origins}
        state |= {
            "round": number + 1,
            "step": step,
            "seen": seen,
            "curve": curve,
            "size": args.size,
            "rounds": args.rounds,
            "seed": args.seed,
        }
        torch.save(state, checkpoint.with_suffix(".part"))
        os.replace(checkpoint.with_suffix(".part"), checkpoint)
        print(time.strftime("%H:%M:%S"), json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
