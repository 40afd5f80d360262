#!/usr/bin/env bash
# Trains briefly and compares the hash of the weights with FOLDER/reference.
# usage: bits.sh FOLDER reference SAMPLE PROGRAM                       makes FOLDER/reference, and FOLDER/sample
#        bits.sh FOLDER threads COUNT PROGRAM                          on so many threads
#        bits.sh FOLDER level LEVEL PROGRAM USABLE                     with the kernels of LEVEL; USABLE tells if they run
#        bits.sh FOLDER build NAME CMAKE REPOSITORY COMPILER START CMAKE_OPTION...      built anew
# What this machine lacks is named on the last line, and the exit status is 77.
set -euo pipefail
cd "$1"

# hash NAME COMMAND...: the hash of the weights that COMMAND trains.
hash() {
  "${@:2}" --data sample --hidden 32,16 --epochs 1 --qat-epochs 1 --seed 1 --json "$1.json" >/dev/null
  sed -nE 's/.*"weights_hash": *"([0-9a-f]{16})".*/\1/p' "$1.json"
}

# same NAME COMMAND...
same() {
  local ours reference
  ours=$(hash "$@")
  reference=$(<reference)
  echo "$1: ${ours:-no hash}, reference: $reference"
  [[ $ours == "$reference" ]]
}

reference() { # the sample unpacked: a build for another processor may have no zlib
  local file
  mkdir -p sample
  for file in "$1"/*.gz; do
    gzip -dc "$file" >"sample/$(basename "$file" .gz)"
  done
  hash reference "$2" --threads 1 >reference
  grep . reference
}

threads() {
  same "threads-$1" "$2" --threads "$1"
}

level() {
  "$3" "$1"
  RUNG_CPU=$1 same "level-$1" "$2" --threads 2
}

build() {
  local name=$1 cmake=$2 repository=$3 tool
  for tool in "$4" "$5"; do
    command -v "$tool" >/dev/null || { echo "no $tool"; exit 77; }
  done
  "$cmake" -S "$repository" -B "$name" -DCMAKE_BUILD_TYPE=Release -DRUNG_TESTS=OFF -DRUNG_BENCH=OFF "${@:6}"
  "$cmake" --build "$name" --parallel 2 --target mnist_mlp
  same "build-$name" "$5" "$name/examples/mnist/mnist_mlp" --threads 2
}

"${@:2}"
