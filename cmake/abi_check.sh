#!/usr/bin/env bash
# Compares the C ABI with what was published: types and functions by abidiff, the numbers of all constants by diff.
#   abi_check.sh check BUILD_FOLDER     any difference fails; exit status 77 where abigail-tools are missing
#   abi_check.sh approve BUILD_FOLDER   makes the present ABI the golden one
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
golden=$root/tests/capi/abi
verb=${1:-check}
build=${2:?usage: abi_check.sh check|approve BUILD_FOLDER}
library=$(find "$build" -maxdepth 2 -name libliveness_c.so -print -quit)
header=$root/capi/include/liveness.h
[ -n "$library" ] || { echo "abi_check.sh: no libliveness_c.so in $build: build liveness_capi first" >&2; exit 1; }
command -v abidw >/dev/null && command -v abidiff >/dev/null || { echo "skipped: abidw and abidiff (abigail-tools) are missing"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
abidw --headers-dir "$(dirname "$header")" --drop-private-types --exported-interfaces-only --no-corpus-path --no-comp-dir-path \
  --no-show-locs --no-elf-needed --no-architecture --out-file "$work/liveness_c.abi" "$library"
grep -q liveness_predictor_options_t "$work/liveness_c.abi" ||
  { echo "abi_check.sh: no types in $library: it was built without debug information (LIVENESS_BUILD_TESTS=ON adds it)" >&2; exit 1; }
# Constants are int32_t with names, which debug information does not tie to functions: they are listed apart.
"${CC:-cc}" -std=c99 -E -P "$header" | grep -oE 'LIVENESS_[A-Z0-9_]+ = [0-9]+' | sort >"$work/constants.txt"
grep -E '^#define LIVENESS_ABI_VERSION ' "$header" >>"$work/constants.txt"

case $verb in
  approve)
    mkdir -p "$golden"
    cp "$work/liveness_c.abi" "$work/constants.txt" "$golden/"
    echo "approved: $golden"
    ;;
  check)
    status=0
    abidiff "$golden/liveness_c.abi" "$work/liveness_c.abi" || status=$?
    diff "$golden/constants.txt" "$work/constants.txt" || status=1
    [ "$status" -eq 0 ] || { echo "The C ABI changed. If that is meant (and old programs go on working): ./dev abi approve" >&2; exit 1; }
    echo "the C ABI is as published"
    ;;
  *) echo "usage: abi_check.sh check|approve BUILD_FOLDER" >&2; exit 2 ;;
esac
