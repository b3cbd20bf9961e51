"""The package itself: what importing it costs, what it says of its types, and that stubs and module are one."""

import ast
import ctypes
import os
import subprocess
import sys
from pathlib import Path

import liveness
import numpy as np
import pytest
from conftest import TINY, scene
from liveness import Reason, _core


def test_import_is_light():
    code = (
        "import sys, liveness; print(*sorted(m for m in sys.modules if m.split('.')[0] in "
        "('torch', 'cv2', 'onnxruntime', 'openvino', 'yaml', 'scipy')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_typed_and_versioned():
    package = Path(liveness.__file__).parent
    assert (package / "py.typed").exists()
    assert liveness.__version__.count(".") == 2
    for name in liveness.__all__:
        assert hasattr(liveness, name), name
    public = {n for n in vars(liveness) if not n.startswith("_")} - {"annotations"}
    assert public - set(liveness.__all__) == set()


def test_stubs_name_what_the_module_has():
    tree = ast.parse((Path(liveness.__file__).parent / "_core.pyi").read_text())
    stubs: dict[str, set[str]] = {}
    functions = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            stubs[node.name] = {f.name for f in node.body if isinstance(f, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            functions.add(node.name)
    classes = {n: c for n, c in vars(_core).items() if isinstance(c, type)}
    assert set(stubs) == set(classes)
    assert functions == {n for n, f in vars(_core).items() if callable(f) and not isinstance(f, type)}
    for name, cls in classes.items():
        methods = {n for n in vars(cls) if not n.startswith("_")}
        assert stubs[name] - {"__init__"} == methods, name


def test_reasons_are_those_of_the_library():
    assert [r.value for r in Reason] == [1 << i for i in range(12)]
    assert Reason(0).sentences == ()
    both = Reason.DARK | Reason.BLURRED
    assert both.each == (Reason.BLURRED, Reason.DARK)
    assert len(both.sentences) == 2
    assert str(liveness.Verdict.LIVE) == "LIVE"
    assert liveness.Verdict(0) is liveness.Verdict.UNCERTAIN


@pytest.fixture(scope="module")
def c_library():
    path = os.environ.get("LIVENESS_C_LIBRARY")
    if not path:
        pytest.skip("LIVENESS_C_LIBRARY is not set: the C ABI was not built")
    return ctypes.CDLL(path)


def test_texts_equal_those_of_the_c_library(c_library):
    c_library.liveness_reason_sentence.restype = ctypes.c_char_p
    c_library.liveness_reason_name.restype = ctypes.c_char_p
    c_library.liveness_verdict_name.restype = ctypes.c_char_p
    c_library.liveness_version.restype = ctypes.c_char_p
    for reason in Reason:
        assert reason.sentences == (c_library.liveness_reason_sentence(reason.value).decode(),)
        assert reason.names == (c_library.liveness_reason_name(reason.value).decode(),)
    for verdict in liveness.Verdict:
        assert str(verdict) == c_library.liveness_verdict_name(verdict.value).decode()
    assert liveness.__version__ == c_library.liveness_version().decode()


class CImage(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("format", ctypes.c_int32),
        ("data", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("stride", ctypes.c_int64),
        ("chroma", ctypes.c_void_p),
        ("chroma_stride", ctypes.c_int64),
    )


class CSummary(ctypes.Structure):  # as an old header might have it: it ends with the threshold, and a pad to 8 bytes
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("verdict", ctypes.c_int32),
        ("score", ctypes.c_float),
        ("logit", ctypes.c_float),
        ("threshold", ctypes.c_float),
        ("reasons", ctypes.c_uint32),
    )


class CFace(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("has_landmarks", ctypes.c_int32),
        ("box", ctypes.c_float * 4),
        ("landmarks", ctypes.c_float * 10),
        ("score", ctypes.c_float),
    )


def test_scores_equal_those_of_the_c_library(c_library, tiny):
    """The same bits through ctypes, which knows nothing but the header."""
    c = c_library
    model, predictor, result = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    assert c.liveness_model_load(os.fsencode(TINY / "pad.safetensors"), None, ctypes.byref(model)) == 0
    assert c.liveness_predictor_create(ctypes.byref(model), ctypes.c_size_t(1), None, ctypes.byref(predictor)) == 0
    assert c.liveness_result_create(ctypes.byref(result)) == 0
    ours = liveness.Predictor(tiny("pad"))
    box = (70.5, 81.25, 90, 77)
    face = CFace(ctypes.sizeof(CFace), 0, box, (ctypes.c_float * 10)(), 1)
    for green in range(40, 220, 20):
        frame = np.ascontiguousarray(scene((1, 1, green)))
        image = CImage(ctypes.sizeof(CImage), 0, frame.ctypes.data, 320, 320, 960, None, 0)
        summary = CSummary(ctypes.sizeof(CSummary))
        assert c.liveness_predictor_predict(predictor, ctypes.byref(image), ctypes.byref(face), result) == 0
        assert c.liveness_result_summary(result, ctypes.byref(summary)) == 0
        expected = ours.predict(frame, color="bgr", face=box)
        assert (summary.verdict, summary.score, summary.logit, summary.threshold, summary.reasons) == (
            expected.verdict,
            expected.score,
            expected.logit,
            expected.threshold,
            expected.reasons,
        )
    c.liveness_result_destroy(result)
    c.liveness_predictor_destroy(predictor)
    c.liveness_model_destroy(model)


def test_the_example_runs():
    example = Path(__file__).parents[2] / "examples" / "python" / "score.py"
    models = [str(TINY / f"{n}.safetensors") for n in ("detector", "pad", "strict")]
    done = subprocess.run(
        [sys.executable, str(example), models[0], ",".join(models[1:]), str(TINY / "live.ppm")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny_pad+tiny_strict" in done.stdout
    assert "infer" in done.stdout
    bad = subprocess.run([sys.executable, str(example), "a", "b", "c"], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: ")
