#!/usr/bin/env bash
# Builds the wheel as `pip install .` does, installs it into a fresh environment, and uses it far from the tree.
#   wheel.sh PYTHON SOURCE_FOLDER TINY_FOLDER WORK_FOLDER WERROR
# Exit status 77: a tool is missing. Nothing is fetched: what the build needs is taken from PYTHON's packages.
set -euo pipefail
python=$1 source=$2 tiny=$3 work=$4 werror=$5
for module in pip scikit_build_core pybind11 numpy; do
  "$python" -c "import $module" 2>/dev/null || { echo "skipped: $python has no $module"; exit 77; }
done
rm -rf "$work"
mkdir -p "$work/wheel"
# With the flags of the build that is tested, and absolute paths, ccache has nearly all of it already.
unset CCACHE_BASEDIR
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_NOHASHDIR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m pip wheel -q --no-deps --no-build-isolation -C build-dir="$work/build" \
  -C cmake.define.LIVENESS_WERROR="$werror" -w "$work/wheel" "$source"
wheel=$(echo "$work"/wheel/liveness-*.whl)
"$python" -m zipfile -l "$wheel" | awk 'NR > 1 {print $1}' | sort >"$work/files.txt"
for file in liveness/__init__.py liveness/py.typed liveness/_core.pyi; do
  grep -qx "$file" "$work/files.txt" || { echo "$file is not in $wheel" >&2; exit 1; }
done
if grep -Ev '^liveness(/|-)' "$work/files.txt"; then echo "strangers in $wheel" >&2; exit 1; fi

"$python" -m venv "$work/venv"
numpy=$("$python" -c 'import numpy, os; print(os.path.dirname(os.path.dirname(numpy.__file__)))')
"$work/venv/bin/python" -m pip install -q --no-deps --no-index "$wheel"
cp "$tiny"/*.safetensors "$tiny/live.bgr" "$work/"
cd "$work"
# numpy comes from the outer environment, as the last place to look.
"$work/venv/bin/python" - "$numpy" <<'PY'
import sys
sys.path.append(sys.argv[1])
import liveness, numpy as np
assert "venv" in liveness.__file__, liveness.__file__
frame = np.fromfile("live.bgr", np.uint8).reshape(320, 320, 3)
predictor = liveness.Predictor(liveness.Model("pad.safetensors"), detector=liveness.Model("detector.safetensors"))
result = predictor.predict(frame, color="bgr")
assert result.verdict is liveness.Verdict.LIVE, result
print(liveness.__version__, result.verdict, round(result.score, 4))
PY
module=$(find "$work/venv" -name '_core*.so')
if ldd "$module" | grep -iE 'opencv|torch|liveness'; then echo "$module links what a wheel must not" >&2; exit 1; fi
