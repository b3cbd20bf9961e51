"""Where the pictures come from: public git repositories, each read at one commit. None of it is in this project.

Get each with `git clone --bare https://github.com/OWNER/NAME MEDIA/OWNER+NAME/repo`.
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

# Name: owner/name, commit, terms as the repository states them.
REPOSITORIES = {
    "nuaa": ("imironica/liveness", "415a750d380dc1ad03815d9f99287f0661715510", "NUAA imposter database, research"),
    "replay": ("sejong-sas/replay-attack", "6426584c58a0e62d9ae8b30e3db12c0820d6e7ec", "Replay-Attack, research"),
    "casia": ("Ankit-Mishra0/anti-face-spoofing", "c2e2aceefc67ca1917612f4abd35c5077e282827", "CASIA-FASD, research"),
    "interfaces": ("cjdowner/interfaces", "2166b2273fd050699e112e95a251f0519cce58c3", "CC0"),
    "masks": (
        "mukammilbasha/Dataset",
        "ccfc1c0881a202a712203d422368db3e5be89a59",
        "none stated; CC0 where first published",
    ),
    "congress": (
        "voteview/member_photos",
        "687cf7a9212a445431ad7441d8bfd0b7bf297eff",
        "official portraits, mostly public domain",
    ),
    "news": (
        "muxspace/facial_expressions",
        "5fb9c13afac07c55eae8d25eb6b50af344ad60c9",
        "Apache-2.0; mostly LFW, research",
    ),
    "web": (
        "chandrikadeb7/Face-Mask-Detection",
        "7e500749401bad4bb338790fbdb89b58e41ef2d9",
        "MIT; pictures found on the web",
    ),
    "drawn": ("bitwarrior07/covid-mask-detection", "7248bf9251c3c78547b88bc2472506bc7fb85ff2", "none stated"),
    "tiny": ("OlegTheCat/face-detection-data", "107c3aaf5d8fdca7818c371058a0f0dfe5bc045b", "none stated"),
    "negatives": ("JoakimSoderberg/haarcascade-negatives", "9ec196be892d826da83652ee7b26d4a2eda46131", "none stated"),
    "rooms": (
        "yash2607-del/Salescode-ai-screen_recapture_detector",
        "5a22c91eef5da081cb1fa557675c67191e1ec2b8",
        "none stated",
    ),
}


class Repository:
    """The files of one commit of a repository, bare or not."""

    def __init__(self, media: Path, name: str) -> None:
        self.full, self.commit, _ = REPOSITORIES[name]
        folder = media / self.full.replace("/", "+") / "repo"
        if not folder.is_dir():
            raise SystemExit(f"{folder}: missing; git clone --bare https://github.com/{self.full} {folder}")
        self.git = ["git", f"--git-dir={folder / '.git' if (folder / '.git').is_dir() else folder}"]
        self.reader: subprocess.Popen[bytes] | None = None

    def list(self, pattern: str) -> list[str]:
        done = subprocess.run(
            [*self.git, "ls-tree", "-r", "-z", "--name-only", self.commit], capture_output=True, check=True
        )
        return sorted(p for p in done.stdout.decode().split("\0") if re.search(pattern, p))

    def read(self, path: str) -> bytes:
        if self.reader is None:
            self.reader = subprocess.Popen(
                [*self.git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.reader.stdin and self.reader.stdout
        self.reader.stdin.write(f"{self.commit}:{path}\n".encode())
        self.reader.stdin.flush()
        size = self.reader.stdout.readline().split()[-1]
        if size == b"missing":  # NUAA's lists name a few
            return b""
        data = self.reader.stdout.read(int(size))
        self.reader.stdout.read(1)
        return data

    def picture(self, path: str, side: int = 100000) -> np.ndarray | None:
        """BGR, its longer side at most `side`; None where the file is no picture."""
        data = np.frombuffer(self.read(path), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None and max(image.shape[:2]) > side:
            scale = side / max(image.shape[:2])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return image


def part(name: str, of: int) -> int:
    """A number below `of` that depends on the name alone: splits people the same way everywhere."""
    return zlib.crc32(name.encode()) % of


def people(paths: list[str], most: int) -> dict[str, list[str]]:
    """Files named PERSON_NUMBER.jpg by person, at most `most` each."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(re.sub(r"_?\d*\.jpg$", "", Path(path).name), []).append(path)
    return {name: files[:most] for name, files in found.items()}


def _nuaa(media: Path, split: str) -> Iterator[tuple[str, np.ndarray | None]]:
    repo = Repository(media, "nuaa")

    def listed(which: str) -> list[str]:
        names = []
        for kind in ("Client", "Imposter"):
            lines = repo.read(f"db/{kind.lower()}_{which}_raw.txt").decode().splitlines()
            names += [f"db/{kind}Raw/" + line.split()[0].replace("\\", "/") for line in lines if line.strip()]
        return sorted(names)

    chosen = listed(split)
    if split == "test":  # only subjects that training never saw
        seen = {Path(p).parent.name for p in listed("train")}
        chosen = [p for p in chosen if Path(p).parent.name not in seen]
    for path in chosen[:: 2 if split == "train" else max(1, len(chosen) // 700)]:
        yield path, repo.picture(path)


def _replay(media: Path, split: str) -> Iterator[tuple[str, np.ndarray | None]]:
    repo = Repository(media, "replay")
    videos: dict[str, list[str]] = {}
    for path in repo.list(rf"^frames/replay_attack/{split}/.*\.jpg$"):
        videos.setdefault(str(Path(path).parent), []).append(path)
    for _, files in sorted(videos.items()):
        for path in files[::5] if split == "train" else files[3::10]:
            yield path, repo.picture(path)


def _files(
    media: Path, name: str, pattern: str, step: int = 1, side: int = 480
) -> Iterator[tuple[str, np.ndarray | None]]:
    repo = Repository(media, name)
    for path in repo.list(pattern)[::step]:
        yield path, repo.picture(path, side)


def _interfaces(media: Path, held: bool) -> Iterator[tuple[str, np.ndarray | None]]:
    for path, image in _files(media, "interfaces", r"^1000 x 1000/\d+\.jpg$", side=640):
        if (int(Path(path).stem) <= 40) == held:
            yield path, image


def _news(media: Path, held: bool) -> Iterator[tuple[str, np.ndarray | None]]:
    repo = Repository(media, "news")
    for person, files in people(repo.list(r"^images/.*\.jpg$"), 1 if held else 3).items():
        if (part(person, 12) == 0) == held:
            for path in files:
                yield path, repo.picture(path, 320)


def _negatives(media: Path, held: bool) -> Iterator[tuple[str, np.ndarray | None]]:
    repo = Repository(media, "negatives")
    paths = repo.list(r"^images/.*\.jpg$")
    np.random.default_rng(7).shuffle(paths)
    for path in paths[:500] if held else paths[500:]:
        yield path, repo.picture(path, 480)


def _tiny(media: Path) -> Iterator[tuple[str, np.ndarray | None]]:
    """Crops of 24 x 24 pixels, enlarged and set into a border: otherwise the teacher has no room."""
    repo = Repository(media, "tiny")
    for path in repo.list(r"^pos/.*\.pgm$")[::8]:
        image = repo.picture(path)
        if image is not None:
            image = cv2.resize(image, (96, 96), interpolation=cv2.INTER_CUBIC)
            image = cv2.copyMakeBorder(image, 32, 32, 32, 32, cv2.BORDER_REPLICATE)
        yield path, image


def pictures(media: Path, name: str) -> Iterator[tuple[str, np.ndarray | None, np.ndarray | None]]:
    """Path, BGR picture and, where people drew boxes, those (x0 y0 x1 y1)."""
    if name == "masks":
        repo = Repository(media, "masks")
        for path in repo.list(r"^images/(train|test)/maksssksksss.*\.xml$"):
            tree = ET.fromstring(repo.read(path).decode())
            width, height = (int(tree.findtext(f"size/{k}") or 0) for k in ("width", "height"))
            image = repo.picture(path[:-4] + ".png")
            if image is not None and width and height:
                scale = 320 / max(width, height)  # undoes the squeeze to a square
                image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC)
                sides = ("xmin", "ymin", "xmax", "ymax")
                drawn = [[float(o.findtext(f"bndbox/{k}") or 0) * scale for k in sides] for o in tree.iter("object")]
                yield path, image, np.array(drawn, np.float32).reshape(-1, 4)
        return
    sources = {
        "nuaa_train": lambda: _nuaa(media, "train"),
        "nuaa_test": lambda: _nuaa(media, "test"),
        "replay_train": lambda: _replay(media, "train"),
        "replay_devel": lambda: _replay(media, "devel"),
        "replay_test": lambda: _replay(media, "test"),
        "casia": lambda: _files(media, "casia", r"train_img/color/.*\.(jpg|png)$", 4),
        "interfaces_train": lambda: _interfaces(media, False),
        "interfaces_held": lambda: _interfaces(media, True),
        "congress": lambda: _files(media, "congress", r"^images/(bio_guide|wiki|manual)/.*\.jpg$", 2, 320),
        "news_train": lambda: _news(media, False),
        "news_held": lambda: _news(media, True),
        "web": lambda: _files(media, "web", r"^dataset/(with|without)_mask/.*\.(jpg|jpeg|png)$", 1, 320),
        "drawn": lambda: _files(media, "drawn", r"^dataset/(with|without)_mask/.*\.(jpg|jpeg|png)$"),
        "tiny": lambda: _tiny(media),
        "negatives_train": lambda: _negatives(media, False),
        "negatives_held": lambda: _negatives(media, True),
        "negatives_small": lambda: _files(media, "tiny", r"^neg/.*\.pgm$", 3),
        "rooms": lambda: _files(media, "rooms", r"^dataset/real/real_.*\.jpg$"),
    }
    for path, image in sources[name]():
        yield path, image, None


FACES = (
    "nuaa_train", "replay_train", "replay_devel", "casia", "interfaces_train", "congress", "news_train", "web", "drawn",
)  # fmt: skip
BACKGROUNDS = ("negatives_train", "negatives_small", "rooms")
HELD = ("nuaa_test", "replay_test", "interfaces_held", "news_held", "negatives_held")
# Faces that fill the picture: the teacher is surer of them at 320 pixels than at 640.
CLOSE = ("news_train", "news_held", "congress", "web", "tiny")
SETS = (*HELD, *FACES, "masks", "tiny", *BACKGROUNDS)
