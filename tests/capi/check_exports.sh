#!/usr/bin/env bash
# The library exports what liveness.h declares, and nothing else.
#   check_exports.sh NM LIBRARY SYMBOLS_PROGRAM
set -euo pipefail
diff <("$3" | sort) <("$1" -D --defined-only "$2" | awk '{print $3}' | sort) ||
  { echo "left: declared in liveness.h; right: exported by $2" >&2; exit 1; }
