#!/usr/bin/env bash
# usage: floor.sh COMPILER REPOSITORY FLOOR 'ORDER OF FLOORS' 'INCLUDE FOLDERS'
# With the include path of FLOOR, the headers of FLOOR and of those before it in ORDER compile; no public header of a
# later floor and no private header of any other floor can be found.
set -euo pipefail
compiler=$1 repository=$2 floor=$3
read -ra order <<<"$4"
read -ra folders <<<"$5"
status=0

# try HEADER: compiles a file that includes it, with the path of the floor; what the compiler says goes to $said.
try() {
  said=$(echo "#include <$1>" | LC_ALL=C "$compiler" -std=gnu11 -fsyntax-only "${folders[@]/#/-I}" -x c - 2>&1)
}

must_compile() {
  try "$1" && return
  echo "$floor may include $1, but it does not compile: $said"
  status=1
}

must_be_missing() {
  if try "$1"; then
    echo "$floor must not include $1, but it compiles"
    status=1
  elif [[ ! $said =~ "$1".*(No such file|not found) ]]; then
    echo "$floor must not find $1; the compiler says: $said"
    status=1
  fi
}

check=must_compile
for other in "${order[@]}"; do
  [[ -f $repository/include/rung/$other.h ]] || continue
  "$check" "rung/$other.h"
  [[ $other != "$floor" ]] || check=must_be_missing
done

while IFS= read -r header; do
  header=${header#"$repository/src/"}
  [[ $header == "$floor"/* || -f $repository/src/$floor/${header#*/} ]] || must_be_missing "${header#*/}"
done < <(find "$repository/src" -name '*.h')

while IFS=: read -r file line include; do
  target=$(realpath -m "$(dirname "$file")/${include#*[\"<]}")
  [[ $target == "$repository/src/$floor"/* ]] && continue
  echo "$file:$line: reaches out of its floor"
  status=1
done < <(grep -rnoE '#include ["<][^">]*\.\.[^">]*' "$repository/src/$floor")
exit $status
