"""Where the pictures are and who may be used for what. Nothing of them is ever committed.

Sources are git snapshots: MEDIA/OWNER+NAME/repo (bare; any clone will do). Test lists are those of the published protocols.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

cv2.setNumThreads(1)

# OWNER/NAME: commit, terms. The variant `open` has its views from the first group alone.
VIEWS = {
    "cjdowner/interfaces": ("2166b2273fd050699e112e95a251f0519cce58c3", "portraits; CC0 by its README"),
    "voteview/member_photos": (
        "687cf7a9212a445431ad7441d8bfd0b7bf297eff",
        "portraits of members of the US Congress, from its Bioguide and from Wikipedia; largely public domain or government "
        "sources by its README",
    ),
    "mukammilbasha/Dataset": (
        "ccfc1c0881a202a712203d422368db3e5be89a59",
        "faces with and without masks; the Kaggle set of these pictures is published as CC0, the repository is Apache-2.0",
    ),
    "JoakimSoderberg/haarcascade-negatives": (
        "9ec196be892d826da83652ee7b26d4a2eda46131",
        "rooms, things and textures without faces; published for training detectors, no terms stated",
    ),
    "yash2607-del/Salescode-ai-screen_recapture_detector": (
        "5a22c91eef5da081cb1fa557675c67191e1ec2b8",
        "things and screens taken with a telephone by the repository's owner; no terms stated",
    ),
}
# Sets of attacks: their training parts give views to the variant `default`, without labels, but for the people that the
# calibration is kept for; their test parts are for measuring alone.
ATTACKS = {
    "imironica/liveness": ("415a750d380dc1ad03815d9f99287f0661715510", "NUAA imposter database, research only"),
    "sejong-sas/replay-attack": ("6426584c58a0e62d9ae8b30e3db12c0820d6e7ec", "Replay-Attack, research only"),
    "Ankit-Mishra0/anti-face-spoofing": ("c2e2aceefc67ca1917612f4abd35c5077e282827", "CASIA-FASD crops, research only"),
}
NEWS = {
    "muxspace/facial_expressions": (
        "5fb9c13afac07c55eae8d25eb6b50af344ad60c9",
        "faces from the news, mostly Labeled Faces in the Wild; research",
    ),
}


class Snapshot:
    """Streams the files of one commit of a repository that has no work tree."""

    def __init__(self, media: Path, name: str) -> None:
        folder = media / name.replace("/", "+") / "repo"
        self.git = ["git", f"--git-dir={folder / '.git' if (folder / '.git').is_dir() else folder}"]
        self.commit = {**VIEWS, **ATTACKS, **NEWS}[name][0]
        self.process: subprocess.Popen[bytes] | None = None

    def files(self) -> list[str]:
        command = [*self.git, "-c", "core.quotepath=off", "ls-tree", "-r", "--name-only", self.commit]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def read(self, path: str) -> bytes:
        if self.process is None:
            self.process = subprocess.Popen(
                [*self.git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{self.commit}:{path}\n".encode())
        self.process.stdin.flush()
        head = self.process.stdout.readline().decode().split()
        if head[-1] == "missing":
            raise FileNotFoundError(path)
        data = self.process.stdout.read(int(head[2]))
        self.process.stdout.read(1)
        return data

    def picture(self, path: str) -> np.ndarray | None:
        """BGR, or None where the file is missing (lists name some) or no picture."""
        try:
            return cv2.imdecode(np.frombuffer(self.read(path), np.uint8), cv2.IMREAD_COLOR)
        except FileNotFoundError:
            return None


def labelled(media: Path, name: str, part: str) -> Iterator[tuple[np.ndarray, int, str, str]]:
    """Pictures of nuaa, replay or casia: BGR, 1 = bona fide, species, video or session. part: test, or train for the
    calibration (of Replay-Attack its development part). Every k-th picture: neighbours are nearly the same."""
    rows: list[tuple[str, int, str, str]] = []
    test = part == "test"
    if name == "nuaa":  # the published lists; they name some files that are missing
        source = Snapshot(media, "imironica/liveness")
        steps = (10, 14) if test else (2, 2)
        for label, folder, kind, step in (
            (1, "ClientRaw", "client", steps[0]),
            (0, "ImposterRaw", "imposter", steps[1]),
        ):
            lines = source.read(f"db/{kind}_{part}_raw.txt").decode().replace("\\", "/").split("\n")
            for line in [x.strip() for x in lines if x.strip()][::step]:
                if test or kept_for_calibration(line.split("/")[0]):
                    rows.append((f"db/{folder}/{line}", label, "print", line.split("/")[0] + folder))
    elif name == "replay":  # some frames of each video
        source = Snapshot(media, "sejong-sas/replay-attack")
        folder = f"frames/replay_attack/{part if test else 'devel'}/"
        files = sorted(f for f in source.files() if f.startswith(folder) and f.endswith(".jpg"))
        for path, group in groupby(files, key=os.path.dirname):
            frames, video = list(group), os.path.basename(path)
            label = int("__attack__" not in video)
            species = "" if label else re.search(r"attack_(print|mobile|highdef)", video)[1]
            for i in np.linspace(0, len(frames) - 1, (5 if label else 2) if test else (4 if label else 1)).round():
                rows.append((frames[int(i)], label, species, video))
    elif name == "casia":  # N_k.avi_F_{real,fake}.jpg, k tells the kind
        source = Snapshot(media, "Ankit-Mishra0/anti-face-spoofing")
        files = sorted(f for f in source.files() if f"/{part}_img/color/" in f and f.endswith(".jpg"))
        kinds = {
            "3": "warped print",
            "5": "cut print",
            "7": "tablet",
            "4": "warped print",
            "6": "cut print",
            "8": "tablet",
        }
        fine = {"HR_2": "warped print", "HR_3": "cut print", "HR_4": "tablet"}
        for f in files[::2] if test else [f for f in files if kept_for_calibration(os.path.basename(f).split("_")[0])]:
            clip, rest = os.path.basename(f).split(".avi")
            kind = clip.split("_", 1)[1]
            rows.append((f, int("real" in rest), fine.get(kind) or kinds.get(kind, ""), clip))
    else:
        raise ValueError(f"unknown set: {name}")
    for path, label, species, group in rows:
        picture = source.picture(path)
        if picture is not None:
            yield picture, label, "bona fide" if label else species, group


def kept_for_calibration(person: str) -> bool:
    """People of NUAA's and CASIA-FASD's training parts who give no views: every fourth."""
    return int(person) % 4 == 0


def set_frames(media: Path) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Pictures of the sets' training parts that may become views (of Replay-Attack not the development part)."""
    source = Snapshot(media, "imironica/liveness")
    for folder, kind in (("ClientRaw", "client"), ("ImposterRaw", "imposter")):
        lines = source.read(f"db/{kind}_train_raw.txt").decode().replace("\\", "/").split("\n")
        for line in [x.strip() for x in lines if x.strip()][::2]:
            if not kept_for_calibration(line.split("/")[0]):
                yield "frame", "nuaa", source.picture(f"db/{folder}/{line}")
    source = Snapshot(media, "sejong-sas/replay-attack")
    files = sorted(f for f in source.files() if f.startswith("frames/replay_attack/train/") and f.endswith(".jpg"))
    for path, group in groupby(files, key=os.path.dirname):
        frames = list(group)
        for i in np.linspace(0, len(frames) - 1, 5 if "__attack__" in path else 12).round():
            yield "frame", "replay", source.picture(frames[int(i)])
    source = Snapshot(media, "Ankit-Mishra0/anti-face-spoofing")
    for path in sorted(f for f in source.files() if "/train_img/color/" in f and f.endswith(".jpg")):
        if not kept_for_calibration(os.path.basename(path).split("_")[0]):
            yield "frame", "casia", source.picture(path)


def view_sources(media: Path, variant: str) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Pictures that may become views: kind (face, thing, frame), origin and BGR."""
    yield from (("face", "open", p) for p in open_faces(media))
    if variant != "open":
        source = Snapshot(media, "muxspace/facial_expressions")
        people: dict[str, int] = {}
        for path in sorted(f for f in source.files() if f.startswith("images/") and f.endswith(".jpg")):
            name = re.sub(r"_?\d*\.jpg$", "", path)
            people[name] = people.get(name, 0) + 1
            if people[name] <= 2:
                yield "face", "news", source.picture(path)
        yield from set_frames(media)
    source = Snapshot(media, "JoakimSoderberg/haarcascade-negatives")
    for path in sorted(f for f in source.files() if f.startswith("images/") and f.endswith(".jpg"))[::2]:
        yield "thing", "open", source.picture(path)
    source = Snapshot(media, "yash2607-del/Salescode-ai-screen_recapture_detector")
    for path in sorted(f for f in source.files() if re.match(r"dataset/(real|screen)/", f)):
        yield "thing", "open", source.picture(path)


def open_faces(media: Path) -> Iterator[np.ndarray | None]:
    source = Snapshot(media, "cjdowner/interfaces")
    for path in sorted(f for f in source.files() if f.startswith("1000 x 1000/") and f.endswith(".jpg")):
        yield source.picture(path)
    source = Snapshot(media, "voteview/member_photos")
    for row in csv.DictReader(source.read("members.csv").decode().splitlines()):
        if int(row["congress"]) >= (95 if row["source"] == "bio_guide" else 80):  # in color for the most part
            yield source.picture(row["image"])
    source = Snapshot(media, "mukammilbasha/Dataset")
    for path in sorted(f for f in source.files() if re.match(r"images/(train|test)/maksssksksss\d+\.png$", f)):
        picture, notes = source.picture(path), source.read(path[:-3] + "xml")
        size = [int(re.search(rb"<%s>(\d+)" % side, notes)[1]) for side in (b"width", b"height")]
        yield cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)  # stored stretched
