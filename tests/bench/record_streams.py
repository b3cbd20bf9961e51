#!/usr/bin/env python3
"""Recorded scores of real clips, and what the verifier says of them.

Reads a git repository (bare is enough) that holds frames of Replay-Attack as
`frames/replay_attack/SPLIT/VIDEO/frame_NNNNN.jpg`, NNNNN counted at 25 a second; sampled frames will do. Nothing is
written but figures: with --scores one row for each frame and network, for `liveness_decision_bench`; with --watch, as JSON
on standard output, how the verifier's ids held and what its verdicts were, summed up over the videos.

    record_streams.py REPOSITORY --models FOLDER [--scores SCORES.csv] [--watch] [--splits devel test]
"""

import argparse
import collections
import contextlib
import csv
import io
import json
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import TextIO

import liveness
import numpy as np
from PIL import Image

Film = list[tuple[float, np.ndarray]]  # seconds, RGB
FPS = 25
NETS = {
    "pair": ("minifasnet_v2_80_scale2.7.onnx", "minifasnet_v1se_80_scale4.0.onnx"),
    "v2se128": ("minifasnet_v2se_128_scale1.5.onnx",),
}
CONTRACTS = {
    "minifasnet_v2_80_scale2.7.onnx": "minifasnet_v2_80.yaml",
    "minifasnet_v1se_80_scale4.0.onnx": "minifasnet_v1se_80.yaml",
    "minifasnet_v2se_128_scale1.5.onnx": "minifasnet_v2se_128.yaml",
    "yunet_s_320_320.onnx": "yunet_320.yaml",
}


def videos(repository: pathlib.Path, split: str) -> dict[str, list[tuple[int, str]]]:
    """By video: frame numbers and blobs."""
    listed = subprocess.run(
        ["git", "-C", repository, "ls-tree", "-r", "HEAD", f"frames/replay_attack/{split}/"],
        check=True, capture_output=True, text=True,
    ).stdout
    all_of: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
    for line in listed.splitlines():
        meta, path = line.split("\t")
        found = re.fullmatch(r".*/([^/]+)/frame_(\d+)\.jpg", path)
        if found:
            all_of[found[1]].append((int(found[2]), meta.split()[2]))
    return {video: sorted(frames) for video, frames in sorted(all_of.items())}


def pictures(git: "subprocess.Popen[bytes]", frames: list[tuple[int, str]]) -> Iterator[tuple[float, np.ndarray]]:
    assert git.stdin and git.stdout
    for number, blob in frames:
        git.stdin.write(f"{blob}\n".encode())
        git.stdin.flush()
        size = int(git.stdout.readline().split()[2])
        data = git.stdout.read(size)
        git.stdout.read(1)
        yield number / FPS, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="folder of the publishers' ONNX files")
    parser.add_argument("--scores", type=pathlib.Path, help="CSV to write")
    parser.add_argument("--watch", action="store_true", help="run the verifier (the pair) over every video")
    parser.add_argument("--splits", nargs="+", default=["devel", "test"])
    args = parser.parse_args()
    contracts = pathlib.Path(__file__).resolve().parents[2] / "models/contracts"

    def load(name: str) -> liveness.Model:
        return liveness.Model(args.models / name, contract=contracts / CONTRACTS[name])

    detector = load("yunet_s_320_320.onnx")
    nets = {net: [load(name) for name in names] for net, names in NETS.items()}
    git = subprocess.Popen(["git", "-C", args.repository, "cat-file", "--batch"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    with contextlib.ExitStack() as stack:
        score = None
        if args.scores:
            score = Recorder(stack.enter_context(args.scores.open("w", newline="")), detector, nets)
        summary: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for split in args.splits:
            for video, frames in videos(args.repository, split).items():
                live = "__real__" in video
                film = list(pictures(git, frames))
                if score:
                    score(split, video, live, film)
                if args.watch:
                    options = liveness.VerifierOptions(pace=liveness.Pace(score_every=1))
                    verifier = liveness.Verifier(nets["pair"], detector, options)
                    watch(verifier, film, summary[f"{split} {'bona fide' if live else 'attack'}"])
    if args.watch:
        print(json.dumps(summary, indent=1, sort_keys=True))


class Recorder:
    """Writes what every network says of the largest face of every frame."""

    def __init__(self, file: TextIO, detector: liveness.Model, nets: dict[str, list[liveness.Model]]) -> None:
        self._detector = liveness.FaceDetector(detector)
        self._scorers = {net: liveness.Ensemble(members) for net, members in nets.items()}
        self._rows = csv.writer(file)
        self._rows.writerow(["split", "video", "live", "net", "seconds", "logit", "reasons", "face_pixels", "sharpness",
                             "luminance", "outside"])

    def __call__(self, split: str, video: str, live: bool, film: Film) -> None:
        for seconds, picture in film:
            faces = self._detector.detect(picture, color="rgb")
            if not faces:
                continue
            largest = max(faces, key=lambda f: f.box.width * f.box.height)
            for net, scorer in self._scorers.items():
                face = scorer.predict(picture, color="rgb", face=largest).faces[0]
                if not face.members:
                    continue
                q = face.quality
                self._rows.writerow([split, video, int(live), net, seconds, f"{face.logit:.5f}", int(face.reasons),
                                     *(f"{v:.4g}" for v in (q.face_pixels, q.sharpness, q.luminance, q.outside))])


def watch(verifier: liveness.Verifier, film: Film, count: "collections.Counter[str]") -> None:
    """Adds to the counts of one kind of video: its tracks and its first verdict."""
    born: list[int] = []
    found = 0
    first = "none"
    last = "none"
    with verifier:
        for seconds, picture in film:
            update = verifier.push(picture, seconds, color="rgb")
            found += bool(update.tracks) and update.tracks[0].found
            for event in update.events:
                count["event " + event.kind] += 1
                if event.kind == "new_track":
                    born.append(event.track)
                if event.kind == "decided" and first == "none":
                    first = event.verdict.name
            last = update.verdict.name
    count["videos"] += 1
    count["frames"] += len(film)
    count["frames with the face"] += found
    count["tracks"] += len(born)
    count["videos of one track"] += len(born) == 1
    count["videos without a track"] += not born
    count["first verdict " + first] += 1
    count["at the end " + last] += 1


if __name__ == "__main__":
    main()
