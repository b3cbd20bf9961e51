#!/usr/bin/env python3
"""Exported networks against the files they came from: the onnx checker, the promised opset and free batch, and ONNX Runtime's
outputs on one and on three pictures at once. QDQ exports against the same weights as floats.

  export.py CASES EXPORTED    CASES: what make_cases.py wrote; EXPORTED: what parity_export made of it
"""
import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort

TOLERANCE = 1e-4  # of max(1, largest |output|)


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # 1: fp32. By itself ONNX Runtime rounds what a product with whole-number weights takes to 8 bits, which is its error, not the file's.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def original_of(cases, name):
    path = os.path.join(cases, name + ".path")
    return open(path).read().strip() if os.path.exists(path) else os.path.join(cases, name + ".onnx")


def run(sess, x):
    """Outputs of a batch, from a network that may take only so many pictures at once."""
    info = sess.get_inputs()[0]
    fixed = info.shape[0] if isinstance(info.shape[0], int) else len(x)
    padded = np.concatenate([x, np.repeat(x[:1], -len(x) % fixed, axis=0)])
    parts = [sess.run(None, {info.name: padded[i : i + fixed]}) for i in range(0, len(padded), fixed)]
    return [np.concatenate([part[k] for part in parts])[: len(x)] for k in range(len(parts[0]))]


def main():
    cases, exported = sys.argv[1:]
    files = sorted(glob.glob(os.path.join(exported, "*.onnx")))
    failed, worst = 0, 0.0
    for file in files:
        name, opset = os.path.basename(file)[: -len(".onnx")].split("@")
        try:
            model = onnx.load(file)
            onnx.checker.check_model(model, full_check=True)
            quantized = opset == "qdq"
            assert [o.version for o in model.opset_import] == [13 if quantized else int(opset)], "another opset"
            assert quantized == any(n.op_type == "DequantizeLinear" for n in model.graph.node), "whole numbers"
            source = os.path.join(exported, "rounded", name + ".onnx") if quantized else original_of(cases, name)
            mine, original = session(file), session(source)
            assert [o.name for o in mine.get_outputs()] == [o.name for o in original.get_outputs()], "other outputs"
            shape = original.get_inputs()[0].shape[1:]
            assert mine.get_inputs()[0].shape == ["batch", *shape], f"input {mine.get_inputs()[0].shape}"
            rng = np.random.default_rng([1, *name.encode()])
            big = np.prod(shape) > 5000 and "minifasnet_v2se" not in name and "landmark" not in name
            x = rng.uniform(0, 255, (3, *shape)).astype(np.float32) if big else rng.uniform(-1, 1, (3, *shape)).astype(np.float32)
            for batch in (x[:1], x):
                for wanted, found in zip(run(original, batch), run(mine, batch), strict=True):
                    assert wanted.shape == found.shape, f"shape {found.shape}, wanted {wanted.shape}"
                    error = float(np.abs(wanted - found).max() / max(1.0, np.abs(wanted).max()))
                    worst = max(worst, error)
                    assert error <= TOLERANCE, f"off by {error}"
        except Exception as e:  # the test reports every file
            failed += 1
            print(f"{os.path.basename(file)}: {str(e)[:300]}")
    print(f"{len(files)} exports, {failed} failed, largest difference {worst:.2e}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
