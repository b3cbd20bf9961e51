#!/usr/bin/env python3
"""Teaches the student the teacher's answers, view by view, without any label.

  train.py --work WORK --size default --rounds 200 [--replay 80] [--seed 1] [--tests WORK]

A round is one new shard of views.py, waited for where it is not there yet (see also --replay). The rate falls as a cosine
over all rounds; the weights that count are the moving mean. WORK/NAME.pt holds everything that is needed to go on after a
stop, also with other --rounds or --batch. With --tests, the held-out splits of evaluate.py are scored every few rounds:
nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from evaluate import agreement
from network import Student, log_odds, values

WARM, COUNT = 64_000, 8192  # views; in a shard


def load(work: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    path = work / "views" / f"{number:04}.npz"
    while not path.exists():
        time.sleep(1)
    with np.load(path) as file:
        return file["views"], file["logits"]


def pick_shard(number: int, replay: int, r: np.random.Generator) -> int:
    """A new shard a round; from round `replay` on every second round takes one of the 16 latest once more."""
    if number < replay:
        return number
    fresh = replay + (number - replay + 1) // 2
    return int(r.integers(max(0, fresh - 16), fresh)) if (number - replay) % 2 else fresh


def distance(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Divergence of the answers, and the log-odds themselves, which must agree far from the decision too."""
    answers = F.kl_div(F.log_softmax(found, 1), F.log_softmax(wanted, 1), reduction="batchmean", log_target=True)
    return answers + 0.1 * F.smooth_l1_loss(log_odds(found), log_odds(wanted).clamp(-15, 15))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", default="default")
    parser.add_argument("--name", help="of the checkpoint; default: the size")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--replay", type=int, default=1 << 30, help="round from which every second is a repetition")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--every", type=int, default=5, help="rounds between measurements")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    device = torch.device(args.device)
    student = Student(args.size).to(device, memory_format=torch.channels_last)
    mean = copy.deepcopy(student).eval()
    # Slopes and norms are left out of the decay.
    heavy = [p for p in student.parameters() if p.ndim > 1]
    light = [p for p in student.parameters() if p.ndim <= 1]
    groups = [{"params": heavy, "weight_decay": 0.02}, {"params": light, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.rate, fused=True)
    checkpoint = args.work / f"{args.name or args.size}.pt"
    begin, step, seen, latest, curve = 0, 0, 0, -1, []
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        student.load_state_dict(saved["student"])
        mean.load_state_dict(saved["mean"])
        optimizer.load_state_dict(saved["optimizer"])
        begin, step, seen, curve = saved["round"], saved["step"], saved["seen"], saved["curve"]
        latest = curve[-1]["views"] // COUNT - 1
    for number in range(begin, args.rounds):
        r = np.random.default_rng([args.seed, number])
        shard = pick_shard(number, args.replay, r)
        views, logits = load(args.work, shard)
        latest = max(latest, shard)
        order = r.permutation(len(views))
        student.train()
        total = 0.0
        for i in range(0, len(order), args.batch):
            pick = order[i : i + args.batch]
            x, wanted = values(views[pick]).to(device), torch.from_numpy(logits[pick]).to(device)
            seen += len(pick)
            part = min(1, seen / (args.rounds * len(views)))
            for group in optimizer.param_groups:
                group["lr"] = args.rate * min(1, seen / WARM) * (0.5 + 0.5 * math.cos(math.pi * part)) + 1e-5
            loss = distance(student(x), wanted)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 2.0)
            optimizer.step()
            step += 1
            total += loss.item() * len(pick)
            keep = min(0.999, step / (step + 20))
            with torch.no_grad():
                for a, b in zip(mean.state_dict().values(), student.state_dict().values(), strict=True):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        line = {"round": number + 1, "views": (latest + 1) * len(views), "seen": seen, "batch": args.batch}
        line |= {"loss": round(total / len(order), 4)}
        if args.tests and ((number + 1) % args.every == 0 or number + 1 == args.rounds):
            line |= {"tests": agreement(mean, args.tests)}
        curve.append(line)
        state = {"student": student.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict()}
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
