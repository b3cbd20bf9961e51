"""Scores PPM pictures (P6) with one PAD model or several.

python score.py DETECTOR PAD[,PAD...] PICTURE.ppm...
"""

import sys

import liveness
import numpy as np


def read_ppm(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        data = file.read()
    magic, width, height, most = data.split(maxsplit=4)[:4]
    if magic != b"P6" or most != b"255":
        raise ValueError(f"{path}: not a PPM file (P6, 8 bits)")
    w, h = int(width), int(height)
    return np.frombuffer(data[-w * h * 3 :], np.uint8).reshape(h, w, 3)


def main(detector: str, pads: str, *pictures: str) -> None:
    profiler = liveness.Profiler()
    models = [liveness.Model(path) for path in pads.split(",")]
    views = liveness.Augmentation(flip=True)
    with liveness.Ensemble(models, detector=liveness.Model(detector), augmentation=views, profiler=profiler) as ensemble:
        for path in pictures:
            result = ensemble.predict(read_ppm(path), color="rgb")
            print(f"{path}: {result.verdict} score {result.score:.4f} ({result.model}, {result.time.total:.1f} ms)")
            for sentence in result.reasons.sentences:
                print(f"  {sentence}")
    print(profiler)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (liveness.LivenessError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
