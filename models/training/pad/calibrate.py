#!/usr/bin/env python3
"""Slope, bias and thresholds from labelled training parts of the three sets: the only use of labels.

  calibrate.py --work WORK --labelled FOLDER --size default

A logistic fit of the log-odds with the same weight for each set and class, on FOLDER/train_SET.npz (evaluate.py cache).
Thresholds: `balanced` at P(live) 0.5 of that fit, raised until no more than 10 % of the attacks of any set pass (but not
above where more than 10 % of the bona fide of any would be lost); `strict` and `lenient` where 2 % and 20 % of the attacks
of all pass. The same fit on two sets, measured on the third, is printed for the card: what the bias is worth elsewhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from evaluate import SETS, odds
from network import Student, values


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def fit(sets: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Newton's method on the weighted likelihood; targets as Platt's, a little inside 0 and 1."""
    x = np.concatenate([s for s, _ in sets])
    y = np.concatenate([np.where(label == 1, 0.99, 0.01) for _, label in sets])
    w = np.concatenate([np.where(label == 1, 1 / (label == 1).sum(), 1 / (label == 0).sum()) for _, label in sets])
    slope, bias = 1.0, 0.0
    for _ in range(100):
        p = sigmoid(slope * x + bias)
        g = np.array([(w * (p - y) * x).sum(), (w * (p - y)).sum()])
        h = w * p * (1 - p)
        hessian = np.array([[(h * x * x).sum(), (h * x).sum()], [(h * x).sum(), h.sum()]]) + 1e-9 * np.eye(2)
        change = np.linalg.solve(hessian, g)
        slope, bias = slope - float(change[0]), bias - float(change[1])
    return slope, bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, required=True)
    parser.add_argument("--size", default="default")
    args = parser.parse_args()
    saved = torch.load(args.work / f"{args.size}.pt", map_location="cpu", weights_only=True)
    student = Student(args.size)
    student.load_state_dict(saved["mean"])
    student.eval()

    def scores(part: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        with np.load(args.labelled / f"{part}_{name}.npz") as data, torch.no_grad():
            crops = data["crops"]
            found = [student(values(crops[i : i + 128])).numpy() for i in range(0, len(crops), 128)]
            return odds(np.concatenate(found)), data["labels"].astype(int)

    train = {name: scores("train", name) for name in SETS}
    test = {name: scores("test", name) for name in SETS}
    slope, bias = fit(list(train.values()))
    attacks = np.concatenate([np.resize(np.sort(s[y == 0]), 1000) for s, y in train.values()]) * slope + bias

    def passing(share: float) -> float:
        return round(float(sigmoid(np.quantile(attacks, 1 - share))), 3)

    balanced = 0.5
    worst = max(float(np.quantile(sigmoid(slope * s[y == 0] + bias), 0.9)) for s, y in train.values())
    most = min(float(np.quantile(sigmoid(slope * s[y == 1] + bias), 0.1)) for s, y in train.values())
    balanced = round(min(max(balanced, worst), max(balanced, most)), 3)
    strict, lenient = max(passing(0.02), balanced), min(passing(0.2), balanced)
    profiles = {
        name: {"live": live, "spoof": round(live * part, 3), "target": target}
        for name, live, part, target in (
            ("strict", strict, 0.7, "APCER <= 2 % of the labelled training parts"),
            ("balanced", balanced, 0.7, "APCER <= 10 % of each labelled training part where BPCER <= 10 % allows it"),
            ("lenient", lenient, 0.7, "APCER <= 20 % of the labelled training parts"),
        )
    }
    elsewhere = {}
    for name in SETS:  # the two others say where the bound is
        a, b = fit([v for k, v in train.items() if k != name])
        p, y = sigmoid(a * test[name][0] + b), test[name][1]
        elsewhere[name] = {"apcer": round(float((p[y == 0] >= 0.5).mean()), 4), "bpcer": round(float((p[y == 1] < 0.5).mean()), 4)}
    out = {"slope": slope, "bias": bias, "profiles": profiles, "bias_of_two_on_third": elsewhere}
    (args.work / "calibration.json").write_text(json.dumps(out, indent=1))
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
