#!/usr/bin/env bash
# What emitted C costs on a Cortex-M4, as qemu counts instructions and as the linked image has bytes.
# usage: measure.sh FOLDER figures CODE FLAG...             of digits.c in the folder CODE: lines "KEY NUMBER"
#        measure.sh FOLDER limits "KEY MOST ..." CODE FLAG...    each of those figures is MOST at most
#        measure.sh FOLDER calibrate CODE FLAG...           the counter against a known loop and against qemu's own log
# What this machine lacks is named on the last line, and the exit status is 77.
set -euo pipefail
. "$(dirname "$0")/targets.sh"
cd "$1"
choose cortex-m4

# run PROGRAM QEMU_OPTION...: with the first picture; an instruction takes 2^5 ns of qemu's time.
run() {
  (cd models/w8a8 && "${start[@]}" "$1" -icount shift=5,sleep=off "${@:2}" 2>&1)
}

# build PROGRAM CODE FLAG...: also PROGRAM.o, of digits.c alone.
build() {
  compile "$2" "$1" "${@:3}" "$here/cortex_m/measure.c" "${port[@]}"
  "${compiler[@]}" -std=c99 -I"$2" "${@:3}" -c "$2/digits.c" -o "$1.o"
}

# bytes_of SECTION FILE: of all sections whose names begin so.
bytes_of() {
  arm-none-eabi-size -A "$2" | awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { print sum + 0 }'
}

# weight_bytes OBJECT: the tables whose names say so.
weight_bytes() {
  arm-none-eabi-nm -S -t d "$1" | awk '$4 ~ /weight/ { sum += $2 } END { print sum + 0 }'
}

# value_of KEY: of lines "KEY NUMBER".
value_of() {
  awk -v key="$1" '$1 == key { print $2; found = 1 } END { exit !found }'
}

# loop (the calibration), inference: instructions. code, weights, tables: the network's bytes. stack: bytes. flash, ram:
# of the image with its start-up and semihosting, stack included.
figures() {
  local program ran weights text rodata data bss
  program=$(program_path "$@")
  build "$program" "$@"
  ran=$(run "$program")
  weights=$(weight_bytes "$program.o") rodata=$(bytes_of .rodata "$program.o") text=$(bytes_of .text "$program.o")
  echo "$ran"
  echo "weights $weights"
  echo "code $text"
  echo "code+tables $((text + rodata - weights))"
  text=$(bytes_of .text "$program") data=$(bytes_of .data "$program") bss=$(bytes_of .bss "$program")
  echo "flash $((text + data))"
  echo "ram $((data + bss + $(value_of stack <<<"$ran")))"
}

limits() {
  local got key most number status=0
  got=$(figures "${@:2}")
  echo "$got"
  read -ra limit <<<"$1"
  for ((i = 0; i < ${#limit[@]}; i += 2)); do
    key=${limit[i]} most=${limit[i + 1]}
    number=$(value_of "$key" <<<"$got")
    echo "$key: $number, $most at most"
    ((number <= most)) || status=1
  done
  return "$status"
}

# within WHAT NUMBER EXPECTED
within() {
  echo "$1: $2, expected $3 and 4 at most beside it"
  (($2 >= $3 - 4 && $2 <= $3 + 4))
}

# The log has one line an instruction: the first inference's are those from its function to the caller's.
calibrate() {
  local program ran traced
  program=$(program_path calibrate "$@")
  build "$program" "$@"
  ran=$(run "$program")
  run "$program" -singlestep -d exec,nochain -D "$program.log" >/dev/null
  traced=$(awk '$NF == "inference" { on = 1 } on && $NF == "instructions_of" { exit } on { n++ } END { print n }' \
    "$program.log")
  rm "$program.log"
  within "a loop of 10,002 instructions" "$(value_of loop <<<"$ran")" 10002
  within "an inference, logged" "$(value_of inference <<<"$ran")" "$traced"
}

"${@:2}"
