"""Miniature models and a frame that they understand; tests/support/tiny_models.hpp says what they answer."""

import os
from collections.abc import Callable
from pathlib import Path

import liveness
import numpy as np
import pytest

TINY = Path(os.environ["LIVENESS_TINY"])
SIDE, CELL = 320, 80


def scene(*faces: tuple[int, int, int]) -> np.ndarray:
    """A black BGR frame with square faces (column, row, mean of green) of 80 pixels."""
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    y, x = np.mgrid[:CELL, :CELL]
    for column, row, green in faces:
        cell = frame[row * CELL :, column * CELL :][:CELL, :CELL]
        cell[..., 1] = green + np.where((x // 4 + y // 4) % 2 == 0, 20, -20)
        cell[..., 2] = 255
    return frame


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], liveness.Model]:
    return lambda name: liveness.Model(TINY / f"{name}.safetensors")


@pytest.fixture
def predictor(tiny: Callable[[str], liveness.Model]) -> liveness.Predictor:
    return liveness.Predictor(tiny("pad"), detector=tiny("detector"))
