#!/usr/bin/env python3
"""How many visitors does one core hold at 10 frames a second? On this machine, over the loopback address.

Starts server.py on one core and keeps to another one itself, and lets more and more visitors send a picture, moved a
little from frame to frame, for a few seconds at a time. Visitors are held when their frames are answered, nearly all,
and soon. Bounded: `--steps` of `--seconds` each, however it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

FRAMES = 32
ANSWERED = 0.95  # of the frames that visitors want to send
SOON = 0.1  # seconds from frame to answer, 95 of 100


def frames(picture: Path | None) -> list[bytes]:
    """JPEG pictures of 640 x 480, no two alike: a frame that was seen already costs a server less."""
    if picture is None:
        from skimage import data

        whole = Image.fromarray(data.astronaut()[0:384])  # type: ignore[no-untyped-call,unused-ignore]
    else:
        whole = Image.open(picture).convert("RGB")
    whole = whole.resize((672, 504))
    rng = np.random.default_rng(1)
    made = []
    for i in range(FRAMES):
        turn = 2 * np.pi * i / FRAMES
        left, top = 16 + 14 * np.sin(turn), 12 + 10 * np.cos(turn)
        seen = whole.transform((640, 480), Image.Transform.AFFINE, (1, 0, left, 0, 1, top), Image.Resampling.BICUBIC)
        grain = rng.integers(-4, 5, (480, 640, 1))
        file = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(seen, np.int16) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return made


@dataclass(slots=True)
class Tally:
    """What a number of visitors saw."""

    visitors: int
    due: int
    """Frames that visitors wanted to send."""
    trips: list[float] = field(default_factory=list)
    """Seconds from frame to answer, one an answer."""
    faces: int = 0
    lost: int = 0
    """Connections that ended."""

    def after(self, percent: float) -> float:
        return float(np.percentile(self.trips, percent)) if self.trips else float("inf")

    @property
    def held(self) -> bool:
        return self.lost == 0 and len(self.trips) >= ANSWERED * self.due and self.after(95) <= SOON


async def visit(ws: ClientConnection, pictures: list[bytes], begin: float, seconds: float, fps: float, tally: Tally) -> None:
    """As the page does it: one frame on its way; a frame whose turn comes before the answer is left out."""
    turn = 0
    try:
        while turn < round(seconds * fps):
            if (wait := begin + turn / fps - perf_counter()) > 0:
                await asyncio.sleep(wait)
            sent = perf_counter()
            await ws.send(pictures[turn % len(pictures)])
            answer: dict[str, Any] = json.loads(await ws.recv())
            tally.trips.append(perf_counter() - sent)
            tally.faces += bool(answer.get("faces"))
            turn = max(turn + 1, ceil((perf_counter() - begin) * fps))
    except ConnectionClosed:
        tally.lost += 1


async def step(url: str, visitors: int, pictures: list[bytes], seconds: float, fps: float) -> Tally:
    tally = Tally(visitors, visitors * round(seconds * fps))
    address = url.replace("http", "ws", 1) + "/stream"
    opened = [await connect(address, additional_headers={"Origin": url}, compression=None) for _ in range(visitors)]
    for ws in opened:
        await ws.recv()
    begin = perf_counter() + 0.1
    await asyncio.gather(
        *(visit(ws, pictures, begin + i / visitors / fps, seconds, fps, tally) for i, ws in enumerate(opened))
    )
    await asyncio.gather(*(ws.close() for ws in opened))
    return tally


async def climb(url: str, args: argparse.Namespace) -> int:
    pictures = frames(args.picture)
    size = sum(map(len, pictures)) / len(pictures) / 1000
    print(f"{args.fps:g} frames a second of {size:.0f} kB from each visitor, {args.seconds:g} s a step")
    print("visitors  answered a second  of those due  with a face  p50 ms  p95 ms  p99 ms  held", flush=True)
    held, missed, visitors = 0, 0, args.first
    for _ in range(args.steps):
        tally = await step(url, visitors, pictures, args.seconds, args.fps)
        print(
            f"{visitors:8d}  {len(tally.trips) / args.seconds:17.0f}  {len(tally.trips) / tally.due:12.1%}"
            f"  {tally.faces / max(1, len(tally.trips)):11.1%}"
            f"  {1000 * tally.after(50):6.1f}  {1000 * tally.after(95):6.1f}  {1000 * tally.after(99):6.1f}"
            f"  {'yes' if tally.held else 'no'}",
            flush=True,
        )
        if tally.held:
            held = max(held, visitors)
        else:
            missed = min(missed or visitors, visitors)
        visitors = (held + missed) // 2 if missed else 2 * held  # doubles, then halves the gap
        if visitors in (held, 0) or visitors > args.most:
            break
    print(f"one core holds {held} visitors")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = sorted(os.sched_getaffinity(0))
    add = parser.add_argument
    add("--config", help="of the server")
    add("--picture", type=Path, help="what visitors show; otherwise scikit-image's astronaut")
    add("--fps", type=float, default=10, help="frames a second of a visitor (10)")
    add("--seconds", type=float, default=2, help="of a step, at most 30 (2)")
    add("--steps", type=int, default=7, help="at most 20 (7)")
    add("--first", type=int, default=8, help="visitors of the first step (8)")
    add("--most", type=int, default=256, help="visitors, at most 1000 (256)")
    add("--server-core", type=int, default=cores[-1], help="(the last)")
    add("--client-core", type=int, default=cores[0], help="(the first)")
    args = parser.parse_args()
    if not (0 < args.seconds <= 30 and 0 < args.steps <= 20 and 0 < args.first <= args.most <= 1000 and 0 < args.fps <= 60):
        parser.error("out of bounds")
    command = [sys.executable, str(Path(__file__).with_name("server.py")), "--port", "0", "--workers", "1"]
    command += ["--visitors", str(args.most), "--fps", str(2 * args.fps)]
    command += ["--config", args.config] if args.config else []
    os.sched_setaffinity(0, {args.server_core})  # the server inherits it
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        os.sched_setaffinity(0, {args.client_core})
        try:
            assert server.stdout is not None
            line = server.stdout.readline().strip()
            if " at http" not in line:
                print("load.py: the server did not start", file=sys.stderr)
                return 1
            print(line)
            return 0 if asyncio.run(climb(line.rsplit(" at ", 1)[1].rstrip("/"), args)) > 0 else 1
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
