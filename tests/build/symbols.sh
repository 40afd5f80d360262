#!/usr/bin/env bash
# usage: symbols.sh COMPILER NM INCLUDE_FOLDER LIBRARY
# The shared library exports what the public headers declare RUNG_API: nothing else, and nothing less.
set -euo pipefail
compiler=$1 nm=$2 folder=$3 library=$4

# The headers' declarations, one a line.
declarations=$(cat "$folder"/rung/*.h | grep -v '^# *define RUNG_API' |
  "$compiler" -E -P -I "$folder" -x c - | tr '\n' ' ' | tr ';{}' '\n\n\n')
# Those that are RUNG_API: one name before a parenthesis, or a list of names. And functions that are not.
declared=$(awk 'sub(/.*visibility\("default"\)\)\)/, "") {
    sub(/[(].*/, "")
    count = split($0, names, ",")
    for (i = 1; i <= count; i++) { gsub(/\[.*| +$/, "", names[i]); sub(/.*[ *]/, "", names[i]); print names[i] }
  }' <<<"$declarations" | sort -u)
unmarked=$(sed -nE '/visibility|static|typedef|return/d; s/^ *[a-z_][a-z0-9_ *]*[ *](rung_[a-z0-9_]+) *\(.*/\1/p' \
  <<<"$declarations")
exported=$("$nm" -D --defined-only "$library" | awk '{ print $NF }' | sort -u)

[[ -n $declared && -n $exported ]] || { echo "nothing declared or nothing exported"; exit 1; }
hidden=$(comm -23 <(echo "$declared") <(echo "$exported"))
extra=$(comm -13 <(echo "$declared") <(echo "$exported"))
[[ -z $hidden ]] || echo "declared but not exported:" $hidden
[[ -z $extra ]] || echo "exported but not declared:" $extra
[[ -z $unmarked ]] || echo "declared without RUNG_API:" $unmarked
[[ -z $hidden$extra$unmarked ]]
