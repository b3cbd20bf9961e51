#!/usr/bin/env bash
# The walls of the public headers: each compiles alone and twice, none lets foreign headers in, and the umbrella header has them all.
#   check_headers.sh CXX SOURCE_FOLDER GENERATED_INCLUDE_FOLDER OPENCV_INCLUDE_FOLDERS(:)
set -euo pipefail
cxx=$1 source=$2 generated=$3 opencv=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
complain() { echo "$*" >&2; status=1; }

compile() {  # NAME FLAGS...
  local name=$1
  shift
  printf '#include "%s"\n#include "%s"\n' "$name" "$name" >"$work/one.cpp"
  "$cxx" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror \
    -I"$source/include" -I"$generated" "$@" -MD -MF "$work/one.d" "$work/one.cpp"
}

foreign='/(torch|ATen|c10|opencv2|yaml-cpp|pybind11|nlohmann|fmt|CLI)/|/onnxruntime|/Python\.h'
for path in "$source"/include/liveness/*.hpp "$source"/include/liveness/detail/*.hpp "$generated"/liveness/version.hpp; do
  name=liveness/${path##*/liveness/}
  [[ $name == liveness/opencv*.hpp ]] && continue
  compile "$name" || { complain "$name does not compile alone"; continue; }
  ! tr ' ' '\n' <"$work/one.d" | grep -E "$foreign" || complain "$name includes what is not the standard library's"
  # The other rooms are not for users.
  ! tr ' ' '\n' <"$work/one.d" | grep -F "$source/src/" || complain "$name includes an internal header"
done

if [ -n "$opencv" ]; then
  flags=()
  IFS=: read -ra folders <<<"$opencv"
  for folder in "${folders[@]}"; do flags+=(-isystem "$folder"); done
  compile liveness/opencv.hpp "${flags[@]}" || complain "liveness/opencv.hpp does not compile alone"
  ! tr ' ' '\n' <"$work/one.d" | grep -E "${foreign/opencv2|/}" || complain "liveness/opencv.hpp includes more than OpenCV"
  ! tr ' ' '\n' <"$work/one.d" | grep -E '/opencv2/(imgproc|dnn|videoio|highgui)\.hpp' || complain "liveness/opencv.hpp needs opencv2/core alone"
fi

compile liveness/liveness.hpp
for path in "$source"/include/liveness/*.hpp "$generated"/liveness/version.hpp; do
  name=liveness/${path##*/liveness/}
  case $name in liveness/liveness.hpp | liveness/opencv*.hpp) continue ;; esac
  grep -qF "/$name" "$work/one.d" || complain "liveness/liveness.hpp does not include $name"
done

printf '#include <liveness.h>\n#include <liveness.h>\n' >"$work/one.c"
"${CC:-cc}" -std=c99 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror -I"$source/capi/include" -MD -MF "$work/one.d" -fsyntax-only "$work/one.c" ||
  complain "liveness.h is not C99"
! grep -E '\.hpp|/c\+\+/' "$work/one.d" || complain "liveness.h includes C++"
# Nothing in the C header depends on how the library was built.
! grep -nE '^ *# *(if|ifdef|ifndef|elif)' "$source/capi/include/liveness.h" | grep -vE 'LIVENESS_H_|__GNUC__|__cplusplus' ||
  complain "liveness.h changes with build options"
exit $status
