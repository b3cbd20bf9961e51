#!/usr/bin/env bash
# The program at the top of liveness.h, compiled as its last line says, and a C++ program the same way.
#   pkg_config.sh CC CXX PREFIX LIBDIR TINY WORK
set -euo pipefail
cc=$1 cxx=$2 prefix=$3 libdir=$4 tiny=$5 work=$6
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig LD_LIBRARY_PATH=$prefix/$libdir
rm -rf "$work"
mkdir -p "$work"

# The part of the first comment from the first #include to the closing brace, without the " *   " before each line.
sed -n '/^ \*   #include <liveness.h>/,/^ \*   }$/ s/^ \*\( \{3\}\)\{0,1\}//p' "$prefix/include/liveness.h" >"$work/manual.c"
lines=$(wc -l <"$work/manual.c")
[ "$lines" -gt 20 ] && [ "$lines" -lt 40 ] || { echo "the program in liveness.h was not found ($lines lines)" >&2; exit 1; }
# shellcheck disable=SC2046
"$cc" -std=c99 -pedantic -Wall -Wextra -Werror -o "$work/manual" "$work/manual.c" $(pkg-config --cflags --libs liveness-c)
said=$(head -c $((640 * 480 * 3)) /dev/zero | "$work/manual" "$tiny/pad.safetensors" "$tiny/detector.safetensors")
[ "$said" = "NO_FACE 0.000" ] || { echo "the program in liveness.h said: $said" >&2; exit 1; }
if head -c 1000 /dev/zero | "$work/manual" a b; then echo "a short frame was taken" >&2; exit 1; fi
if head -c $((640 * 480 * 3)) /dev/zero | "$work/manual" /nowhere/pad "$tiny/detector.safetensors" 2>"$work/error.txt"; then exit 1; fi
grep -q /nowhere/pad "$work/error.txt"

cat >"$work/main.cpp" <<'CPP'
#include <iostream>
#include <liveness/liveness.hpp>
int main(int, char** argv) {
  const auto model = liveness::Model::load(argv[1]);
  std::cout << model.contract().name << ' ' << liveness::library_version() << '\n';
}
CPP
# shellcheck disable=SC2046
"$cxx" -std=c++20 -o "$work/cpp" "$work/main.cpp" $(pkg-config --cflags --libs liveness)
[ "$("$work/cpp" "$tiny/pad.safetensors")" = "tiny_pad $(pkg-config --modversion liveness)" ]

# The prefix may be moved.
mv "$prefix" "$prefix.moved"
trap 'mv "$prefix.moved" "$prefix"' EXIT
PKG_CONFIG_PATH=$prefix.moved/$libdir/pkgconfig pkg-config --cflags liveness-c | grep -qF moved
