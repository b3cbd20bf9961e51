#!/usr/bin/env python3
"""Slope, bias and thresholds from labelled training parts of the three sets: the only use of labels.

  calibrate.py --work WORK --labelled FOLDER [--name default]

A logistic fit of the log-odds with the same weight for each set and class, on FOLDER/train_SET.npz (evaluate.py cache).
Thresholds on the same parts, each set weighing the same: `strict` where no more than 2 % of the attacks pass, `balanced`
where both errors are equal, `lenient` where no more than 5 % of the bona fide are lost. The same fit on two sets, measured
on the third, is printed for the card: what the bias is worth elsewhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from evaluate import odds
from network import trained, values
from origins import SETS


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


Scored = tuple[np.ndarray, np.ndarray]  # logits (count, 3), labels


def calibrated(logits: np.ndarray, slope: float, bias: float) -> np.ndarray:
    """P(live) as the package computes it: the slope is on the logits, so that it is inside the softmax."""
    return sigmoid(odds((logits * slope).astype(np.float32)) + bias)


def fit(sets: list[Scored]) -> tuple[float, float]:
    """The likeliest slope and bias; targets as Platt's, a little inside 0 and 1. The slope is searched on a grid, twice."""
    y = np.concatenate([np.where(label == 1, 0.99, 0.01) for _, label in sets])
    w = np.concatenate([np.where(label == 1, 1 / (label == 1).sum(), 1 / (label == 0).sum()) for _, label in sets])
    logits = np.concatenate([z for z, _ in sets])

    def best_bias(slope: float) -> tuple[float, float, float]:
        x, low, high = odds((logits * slope).astype(np.float32)), -30.0, 30.0
        for _ in range(50):  # the sum of the errors grows with the bias
            bias = (low + high) / 2
            low, high = (low, bias) if (w * (sigmoid(x + bias) - y)).sum() > 0 else (bias, high)
        p = np.clip(sigmoid(x + bias), 1e-12, 1 - 1e-12)
        return float(-(w * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum()), slope, bias

    slopes = np.geomspace(0.02, 4, 40)
    middle = min(best_bias(s) for s in slopes)[1]
    step = slopes[1] / slopes[0]
    _, slope, bias = min(best_bias(s) for s in np.geomspace(middle / step, middle * step, 41))
    return float(slope), float(bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, required=True)
    parser.add_argument("--name", default="default")
    args = parser.parse_args()
    student, _ = trained(args.work / f"{args.name}.pt")

    def scores(part: str, name: str) -> Scored:
        with np.load(args.labelled / f"{part}_{name}.npz") as data, torch.no_grad():
            crops = data["crops"]
            found = [student(values(crops[i : i + 128])).numpy() for i in range(0, len(crops), 128)]
            return np.concatenate(found), data["labels"].astype(int)

    train = {name: scores("train", name) for name in SETS}
    test = {name: scores("test", name) for name in SETS}
    slope, bias = fit(list(train.values()))
    # The same weight for each set: as many samples of each, at even steps of its distribution.
    steps = (np.arange(1000) + 0.5) / 1000
    attacks = np.concatenate([np.quantile(calibrated(z[y == 0], slope, bias), steps) for z, y in train.values()])
    people = np.concatenate([np.quantile(calibrated(z[y == 1], slope, bias), steps) for z, y in train.values()])
    bounds = np.linspace(0.001, 0.999, 999)
    apcer = np.array([(attacks >= b).mean() for b in bounds])
    bpcer = np.array([(people < b).mean() for b in bounds])
    balanced = float(bounds[np.argmin(np.abs(apcer - bpcer))])
    strict = max(balanced, float(bounds[np.argmax(apcer <= 0.02)]) if (apcer <= 0.02).any() else 0.999)
    lenient = min(balanced, float(bounds[bpcer <= 0.05].max(initial=0.001)))
    rates = {}
    for b in (strict, balanced, lenient):
        rates[b] = f"APCER {100 * (attacks >= b).mean():.0f} %, BPCER {100 * (people < b).mean():.0f} % there"
    where = "of the labelled training parts, each set weighing the same"
    profiles = {
        name: {"live": round(live, 3), "spoof": round(spoof, 3), "target": f"{goal} {where}: {rates[live]}"}
        for name, live, spoof, goal in (
            ("strict", strict, balanced, "APCER <= 2 %"),
            ("balanced", balanced, lenient, "APCER = BPCER"),
            ("lenient", lenient, 0.7 * lenient, "BPCER <= 5 %"),
        )
    }
    elsewhere = {}
    for name in SETS:  # the two others say where the bound is
        a, b = fit([v for k, v in train.items() if k != name])
        p, y = calibrated(test[name][0], a, b), test[name][1]
        elsewhere[name] = {"apcer": float((p[y == 0] >= 0.5).mean()), "bpcer": float((p[y == 1] < 0.5).mean())}
    out = {"slope": slope, "bias": bias, "profiles": profiles, "bias_of_two_on_third": elsewhere}
    (args.work / f"{args.name}.json").write_text(json.dumps(out, indent=1))
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
