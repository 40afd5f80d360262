#!/usr/bin/env bash
# Compiles emitted C with another compiler and runs it on another machine, or on one that qemu plays.
# usage: check.sh FOLDER models PROGRAM REPOSITORY      makes the networks, from MNIST or, where it is not, the sample
#        check.sh FOLDER pictures TARGET FLAG...        every picture of every network in every form
#        check.sh FOLDER self_test TARGET FLAG...       the test that the emitter writes
# What this machine lacks is named on the last line, and the exit status is 77.
set -euo pipefail
. "$(dirname "$0")/targets.sh"
cd "$1"

models() {
  local data=${RUNG_DATA:-$2/data}/mnist
  [[ -d $data ]] || data=$2/tests/data/mnist-sample
  echo "from $(basename "$data")"
  "$1" "$data" models
}

# for_each RUN TARGET FLAG...: RUN MODEL FORM PROGRAM FLAG... for every network in every form; PROGRAM is to be made.
for_each() {
  local model form status=0
  choose "$2"
  for model in models/*/; do
    model=$(basename "$model")
    for form in plain packed cmsis packed_cmsis; do
      "$1" "$model" "$form" "$(program_path "${@:2}" "$model" "$form")" "${@:3}" || status=1
    done
  done
  return "$status"
}

# report WHAT FOLDER COMMAND...: what it says in FOLDER, and its exit status.
report() {
  local said status=0
  said=$(cd "$2" && "${@:3}" 2>&1) || status=$?
  echo "$1: $said"
  return "$status"
}

run_pictures() {
  compile "models/$1/$2" "$3" "${@:4}" "$here/check.c" "${port[@]}" || return
  report "$1, $2" "models/$1" "${start[@]}" "$3"
}

run_self_test() {
  local test=models/$1/$2/digits_test.c
  [[ -f $test ]] || return 0
  compile "models/$1/$2" "$3" "${@:4}" "$test" || return
  report "$1, $2" . "${start[@]}" "$3"
}

pictures() { for_each run_pictures "$@"; }
self_test() { for_each run_self_test "$@"; }

"${@:2}"
