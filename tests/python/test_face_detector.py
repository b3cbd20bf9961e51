"""The shipped face detector on the one portrait of a person that tests use: public domain, carried by scikit-image."""

from pathlib import Path

import liveness
import numpy as np
import pytest

data = pytest.importorskip("skimage.data", reason="the portrait comes with scikit-image")
PACKAGE = Path(__file__).resolve().parents[2] / "models" / "face_detector.safetensors"

# What a person sees: face, and its landmarks in the order of liveness.Face.
FACE = liveness.Box(179, 63, 91, 111)
LANDMARKS = ((201, 105), (245, 105), (221, 127), (204, 145), (242, 145))


def overlap(a: liveness.Box, b: liveness.Box) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(width, 0) * max(height, 0)
    return both / (a.width * a.height + b.width * b.height - both)


@pytest.mark.parametrize("rows", [512, 384])
def test_the_portrait_has_one_face(rows):
    picture = np.ascontiguousarray(data.astronaut()[:rows])
    faces = liveness.FaceDetector(liveness.Model(PACKAGE)).detect(picture, color="rgb")
    assert len(faces) == 1
    assert overlap(faces[0].box, FACE) > 0.6
    assert faces[0].landmarks is not None
    for found, seen in zip(faces[0].landmarks, LANDMARKS, strict=True):
        assert np.hypot(found.x - seen[0], found.y - seen[1]) < 12


def test_its_contract_names_the_window_of_a_tracker():
    assert liveness.Model(PACKAGE).contract["detector"]["tracking"] == {"window": 144, "window_scale": 1.6}


def test_mirrored_and_without_the_face():
    picture = data.astronaut()
    detector = liveness.FaceDetector(liveness.Model(PACKAGE))
    (face,) = detector.detect(np.ascontiguousarray(picture[:, ::-1]), color="rgb")
    back = liveness.Box(512 - face.box.x - face.box.width, *face.box[1:])
    assert overlap(back, FACE) > 0.6
    assert not detector.detect(np.ascontiguousarray(picture[200:]), color="rgb")
