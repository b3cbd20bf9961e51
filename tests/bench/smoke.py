#!/usr/bin/env python3
"""Runs the harness with next to no work and checks what it writes. Says nothing about speed.

smoke.py BUILD    exit 77: the third-party networks are not there
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUBJECT = "minifasnet_v2_80"


def check_row(row: dict[str, object]) -> None:
    assert set(row) == {"name", "unit", "ours", "baseline", "baseline_name", "ratio", "p99_ours", "p99_baseline"}, row
    assert all(isinstance(row[k], str) and row[k] for k in ("name", "unit", "baseline_name")), row
    assert all(isinstance(row[k], (int, float)) and math.isfinite(row[k]) and row[k] > 0 for k in set(row) - {"name", "unit", "baseline_name"}), row


def main(build: str) -> int:
    spec = importlib.util.spec_from_file_location("run", HERE / "run.py")
    run = importlib.util.module_from_spec(spec)
    sys.modules["run"] = run
    spec.loader.exec_module(run)

    models = Path(os.environ.get("LIVENESS_MODELS") or run.ROOT.parent / "shared" / "models")
    if not (models / run.NETS[SUBJECT].file).exists():
        print(f"skipped: {models} lacks {run.NETS[SUBJECT].file} (LIVENESS_MODELS names the folder of the third-party networks)")
        return 1 if os.environ.get("LIVENESS_REQUIRE_MODELS") else 77

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, HERE / "run.py", f"engine/{SUBJECT}", "--quick", "--build", build, "--models", models, "--json", result]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(result.read_text())
        assert document["commit"] and document["machine"], document
        rows = document["rows"]
        for row in rows:
            check_row(row)
        names = {row["name"] for row in rows}
        wanted = {f"engine/{SUBJECT}/batch16", f"engine/{SUBJECT}/int8"} | ({f"engine/{SUBJECT}/fp32"} if run.venv_python() else set())
        assert wanted <= names, f"missing {wanted - names}"
        assert all(name in done.stdout for name in names), done.stdout

        # The parts that a quick run leaves out: a table in a document, and results of several runs in one.
        page = Path(folder) / "page.md"
        page.write_text(f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n")
        subprocess.run([sys.executable, HERE / "run.py", "--render", result, "--markdown", page], check=True, capture_output=True)
        text = page.read_text()
        assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text, text
        assert text.count(f"| engine/{SUBJECT}/") == len(rows), text
        other = {**rows[0], "name": "size/minimal"}
        merged = run.merge({"rows": [other, {**rows[0], "ours": 1e9}], "notes": {}}, {"rows": rows, "notes": {}})["rows"]
        assert len(merged) == len(rows) + 1 and merged[-1] == other and all(r["ours"] < 1e9 for r in merged), merged

    # A peer that computes something else must not be timed.
    net = run.Net("", (3, 2, 2), 1, 2, True)
    assert run.output_difference([0, 5, 5, 0], [0, 5.0001, 5, 0], net) < run.TOLERANCE
    assert run.output_difference([0, 5, 5, 0], [0, 5, 0, 5], net) > run.TOLERANCE
    assert run.output_difference([0, 5, 5, 0], [0, 5], net) > run.TOLERANCE
    assert not run.output_difference([0, 5, 5, 0], [0, math.nan, 5, 0], net) <= run.TOLERANCE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
