#!/usr/bin/env python3
"""Raw BGR frames on standard input, events on standard output.

ffmpeg -f v4l2 -i /dev/video0 -f rawvideo -pix_fmt bgr24 -s 640x480 - | stream.py PAD DETECTOR 640 480 30
"""

import sys

import liveness
import numpy as np


def main() -> int:
    if len(sys.argv) != 6:
        print("usage: stream.py PAD_PACKAGE DETECTOR_PACKAGE WIDTH HEIGHT FPS < frames.bgr", file=sys.stderr)
        return 2
    pad, detector = (liveness.Model(path) for path in sys.argv[1:3])
    width, height, fps = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    verdict = liveness.Verdict.NO_FACE
    with liveness.Verifier(pad, detector) as verifier:
        i = 0
        while len(data := sys.stdin.buffer.read(width * height * 3)) == width * height * 3:
            frame = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            update = verifier.push(frame, i / fps, color="bgr")
            for event in update.events:
                print(f"{event.seconds:.2f} {event.kind} {event.track} {event.verdict} {event.text}")
            verdict = update.verdict
            i += 1
    print(verdict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
