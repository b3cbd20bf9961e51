#!/usr/bin/env bash
# Writes a C file that refers to every function that liveness.h declares: one that is missing from the library fails to link.
#   make_symbols.sh CC HEADER OUTPUT.c
set -euo pipefail
names=$("$1" -std=c99 -E -P "$2" | grep -oE '\bliveness_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
[ "$(wc -l <<<"$names")" -gt 30 ] || { echo "make_symbols.sh: too few functions in $2" >&2; exit 1; }
{
  echo '#include <liveness.h>'
  echo '#include <stdio.h>'
  echo 'typedef void (*function_t)(void);'
  echo 'static const struct { const char* name; function_t function; } kAll[] = {'
  sed 's/.*/  {"&", (function_t)&},/' <<<"$names"
  echo '};'
  echo 'int main(void) {'
  echo '  size_t i;'
  echo '  for (i = 0; i < sizeof kAll / sizeof *kAll; ++i) {'
  echo '    if (kAll[i].function == NULL) return 1;'
  echo '    puts(kAll[i].name);'
  echo '  }'
  echo '  return 0;'
  echo '}'
} >"$3"
