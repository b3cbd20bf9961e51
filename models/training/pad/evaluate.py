#!/usr/bin/env python3
"""Labelled parts of sets that gave no view: their crops, what the published networks answer, and the figures of the card.

  evaluate.py cache --media MIRROR --models FOLDER --contracts FOLDER --work WORK
  evaluate.py report --work WORK --package models/pad_default.safetensors --out WORK/default_report.json

FOLDER of --models holds the files of shared/models (`liveness models get` fetches them): YuNet-640, the MiniFASNet pair
and the 128-pixel net. `cache` writes WORK/test_SET.npz and WORK/train_SET.npz (labelled parts for the calibration).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from network import Student, log_odds, values
from origins import SETS

if TYPE_CHECKING:
    import liveness

JITTERS, FACES = 8, 60  # boxes a face, faces a set
PUBLISHED = {
    "v2": ("minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml"),
    "v1se": ("minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80.yaml"),
    "net128": ("minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128.yaml"),
}


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    live = int(labels.sum())
    return float((ranks[labels == 1].sum() - live * (live + 1) / 2) / (live * (len(labels) - live)))


def eer(labels: np.ndarray, scores: np.ndarray) -> float:
    steps = np.unique(scores)
    apcer = np.array([(scores[labels == 0] >= t).mean() for t in steps])
    bpcer = np.array([(scores[labels == 1] < t).mean() for t in steps])
    at = int(np.argmin(np.abs(apcer - bpcer)))
    return float(apcer[at] + bpcer[at]) / 2


def interval(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, rounds: int = 300) -> list[float]:
    """95 % of the AUC, whole videos or sessions drawn with replacement."""
    r, names = np.random.default_rng(0), np.unique(groups)
    members = {g: np.flatnonzero(groups == g) for g in names}
    found = []
    for _ in range(rounds):
        pick = np.concatenate([members[g] for g in r.choice(names, len(names))])
        if 0 < labels[pick].sum() < len(pick):
            found.append(auc(labels[pick], scores[pick]))
    return [float(q) for q in np.quantile(found, [0.025, 0.975])]


def odds(logits: np.ndarray, live: int = 1) -> np.ndarray:
    return log_odds(torch.from_numpy(np.ascontiguousarray(logits)), live).numpy().astype(np.float64)


def mean_odds(*each: np.ndarray) -> np.ndarray:
    """Log-odds of the mean of the probabilities, as the publisher fuses the pair."""
    p = np.mean([1 / (1 + np.exp(-e)) for e in each], 0)
    return np.log(np.clip(p, 1e-12, 1)) - np.log(np.clip(1 - p, 1e-12, 1))


def rivals(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    v2, v1se, net128 = odds(data["v2"]), odds(data["v1se"]), odds(data["net128"], 0)
    return {"teacher": v1se, "pair": mean_odds(v2, v1se), "net128": net128, "pair+net128": mean_odds(v2, v1se, net128)}


def agreement(network: Student, folder: Path) -> dict[str, dict[str, float]]:
    """The student beside its teacher on the crops of each test split."""
    out = {}
    device = next(network.parameters()).device
    for name in SETS:
        with np.load(folder / f"test_{name}.npz") as data:
            labels, crops, teacher = data["labels"], data["crops"], odds(data["v1se"])
        with torch.no_grad():
            parts = [
                log_odds(network(values(crops[i : i + 128]).to(device))).cpu().numpy()
                for i in range(0, len(crops), 128)
            ]
        own = np.concatenate(parts)
        out[name] = {
            "auc": auc(labels, own),
            "eer": eer(labels, own),
            "teacher": auc(labels, teacher),
            "correlation": float(np.corrcoef(own, teacher)[0, 1]),
            "agree": float(((own > 0) == (teacher > 0)).mean()),
        }
        out[name] = {k: round(v, 4) for k, v in out[name].items()}
    return out


def cache(args: argparse.Namespace) -> None:
    import liveness
    import media

    def model(file: str, contract: str) -> liveness.Model:
        return liveness.Model(args.models / file, contract=args.contracts / contract, precision="fp32")

    networks = {name: model(*files) for name, files in PUBLISHED.items()}
    detector = liveness.FaceDetector(model("yunet_s_640_640.onnx", "yunet_640.yaml"))
    roi = liveness.RoiProcessor(list(networks.values()), box_convention="yunet")
    r = np.random.default_rng(5)
    jitters = r.uniform(-1, 1, (JITTERS, 3)) * [0.1, 0.05, 0.05]  # size, shift right, shift down
    for part in ("test", "train"):
        for name in SETS:
            path = args.work / f"{part}_{name}.npz"
            if path.exists():
                continue
            rows: dict[str, list] = {k: [] for k in ("labels", "species", "groups", "box")}
            inputs: dict[str, list] = {k: [] for k in networks}
            moved: list[np.ndarray] = []  # crops of bona fide faces under jittered boxes, the true one first
            moved_inputs: dict[str, list] = {k: [] for k in networks}
            pictures = list(media.labelled(args.media, name, part)) if part == "test" else None
            bona_fide = sum(label for _, label, _, _ in pictures) if pictures else 0
            seen = missed = 0
            for picture, label, species, group in pictures or media.labelled(args.media, name, part):
                faces = detector.detect(picture, color="bgr")
                if not faces:
                    missed += 1
                    continue
                box = max(faces, key=lambda f: f.box.width * f.box.height).box
                for key, crop in zip(inputs, roi.extract(picture, box, color="bgr"), strict=True):
                    inputs[key].append(crop.values)
                for key, value in zip(rows, (label, species, group, tuple(box)), strict=True):
                    rows[key].append(value)
                if part == "test" and label:
                    if seen % max(1, bona_fide // FACES) == 0 and len(moved) < FACES:
                        x, y, w, h = box
                        boxes = [(x, y, w, h)]
                        for size, right, down in jitters:
                            k, m = 1 + size, max(w, h)
                            boxes.append(
                                (x + w / 2 - k * w / 2 + right * m, y + h / 2 - k * h / 2 + down * m, k * w, k * h)
                            )
                        each = [roi.extract(picture, b, color="bgr") for b in boxes]
                        for i, key in enumerate(moved_inputs):
                            moved_inputs[key].append([crops[i].values for crops in each])
                        moved.append(np.stack([c[list(networks).index("v1se")].values for c in each]))
                    seen += 1
            arrays = {k: np.array(v) for k, v in rows.items()}
            for key, network in networks.items():
                arrays[key] = network.run(np.array(inputs[key]))["output"]
                if moved:
                    jittered = np.array(moved_inputs[key])
                    arrays[f"moved_{key}"] = network.run(jittered.reshape(-1, *jittered.shape[2:]))["output"]
            arrays["crops"] = np.ascontiguousarray(np.array(inputs["v1se"]).transpose(0, 2, 3, 1)).astype(np.uint8)
            if moved:
                arrays["moved"] = np.ascontiguousarray(np.concatenate(moved).transpose(0, 2, 3, 1)).astype(np.uint8)
            np.savez(path, **arrays)
            print(
                f"{path}: {len(arrays['labels'])} faces, {int(arrays['labels'].sum())} bona fide, {missed} without a face",
                flush=True,
            )


def flips(scores: np.ndarray, bound: float) -> float:
    """Share of verdicts on jittered boxes that differ from the one on the true box."""
    live = scores.reshape(-1, JITTERS + 1) >= bound
    return float((live[:, 1:] != live[:, :1]).mean())


def own_camera(
    labelled: Path, model: liveness.Model, scores: np.ndarray, test: dict[str, np.ndarray], rounds: int = 20
) -> dict[str, float]:
    """Errors on the test part after `calibrate` with 30 bona fide and 30 attacks of the same set; mean over draws."""
    import liveness

    with np.load(labelled) as data:
        labels, species, groups = data["labels"], data["species"], data["groups"]
        own = odds(model.run_pixels(data["crops"])["logits"])
    r, errors = np.random.default_rng(0), []
    for _ in range(rounds):
        pick = np.concatenate([r.choice(np.flatnonzero(labels == label), 30, replace=False) for label in (1, 0)])
        kinds = ["" if labels[i] else str(species[i]) for i in pick]
        made = liveness.Calibration.fit(own[pick].tolist(), kinds, [model], clips=groups[pick].tolist())
        p = 1 / (1 + np.exp(-np.array([made.apply(float(x)) for x in scores])))
        live = p >= made.profiles["balanced"].live
        errors.append([live[test["labels"] == 0].mean(), 1 - live[test["labels"] == 1].mean()])
    return dict(zip(("apcer", "bpcer"), np.mean(errors, 0).tolist(), strict=True))


def report(args: argparse.Namespace) -> None:
    import liveness

    networks = {p: liveness.Model(args.package, precision=p) for p in ("fp32", "bf16", "int8")}
    contract, info = networks["fp32"].contract, networks["fp32"].info
    profile = contract["score"]["profiles"]["balanced"]
    bound = float(np.log(profile["live"] / (1 - profile["live"])))
    out: dict = {
        "package": contract["name"],
        "macs": info.macs,
        "bytes": args.package.stat().st_size,
        "bound": bound,
        "sets": {},
    }
    for name in SETS:
        with np.load(args.work / f"test_{name}.npz") as file:
            data = dict(file)
        labels = data["labels"].astype(int)
        scores = {p: odds(m.run_pixels(data["crops"])["logits"]) for p, m in networks.items()}
        mine = scores["fp32"]
        entry: dict = {"bona_fide": int(labels.sum()), "attacks": int((labels == 0).sum()), "auc": {}, "eer": {}}
        for key, value in {"own": mine, **rivals(data)}.items():
            entry["auc"][key], entry["eer"][key] = auc(labels, value), eer(labels, value)
        entry["auc_interval"] = interval(labels, mine, data["groups"])
        entry["pair_interval"] = interval(labels, rivals(data)["pair"], data["groups"])
        teacher = rivals(data)["teacher"]
        raw = mine - json.loads((args.work / f"{contract['name'].removeprefix('pad_')}.json").read_text())["bias"]
        entry["correlation"] = float(np.corrcoef(mine, teacher)[0, 1])
        entry["agree"] = float(((raw > 0) == (teacher > 0)).mean())
        entry["apcer"] = {
            s: float((mine[data["species"] == s] >= bound).mean()) for s in sorted(set(data["species"][labels == 0]))
        }
        entry["apcer"]["all"] = float((mine[labels == 0] >= bound).mean())
        entry["bpcer"] = float((mine[labels == 1] < bound).mean())
        pair = rivals(data)["pair"]
        entry["pair_at_half"] = {
            "apcer": float((pair[labels == 0] >= 0).mean()),
            "bpcer": float((pair[labels == 1] < 0).mean()),
        }
        for p in ("bf16", "int8"):
            entry[f"{p}_flips"] = float(((scores[p] >= bound) != (mine >= bound)).mean())
        moved = odds(networks["fp32"].run_pixels(data["moved"])["logits"])
        v2, v1se, net128 = odds(data["moved_v2"]), odds(data["moved_v1se"]), odds(data["moved_net128"], 0)
        entry["jitter"] = {"own": flips(moved, bound), "own_at_half": flips(moved, 0), "teacher": flips(v1se, 0)}
        entry["own_camera"] = own_camera(args.work / f"train_{name}.npz", networks["fp32"], mine, data)
        entry["jitter"] |= {"pair": flips(mean_odds(v2, v1se), 0), "net128": flips(net128, 0)}
        out["sets"][name] = entry
    text = json.dumps(out, indent=1)
    if args.out:
        args.out.write_text(text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    made = commands.add_parser("cache")
    for option in ("--media", "--models", "--contracts", "--work"):
        made.add_argument(option, type=Path, required=True)
    made.set_defaults(run=cache)
    told = commands.add_parser("report")
    told.add_argument("--work", type=Path, required=True)
    told.add_argument("--package", type=Path, required=True)
    told.add_argument("--out", type=Path)
    told.set_defaults(run=report)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
