# The machines that emitted C runs on; to be sourced.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# skip REASON: a test that this machine cannot run.
skip() {
  echo "$1"
  exit 77
}

# linux COMPILER FLAG...: a target with a C library.
linux() {
  compiler=("$@") start=() port=("$here/port.c") link=()
}

# cortex_m BOARD FLASH RAM CPU: one without, on a board of qemu; where its memories begin.
cortex_m() {
  compiler=(arm-none-eabi-gcc -mthumb "-mcpu=$4")
  start=(qemu-system-arm -M "$1" -display none -monitor none -serial none
    -semihosting-config enable=on,target=native -kernel)
  port=("$here"/cortex_m/{port,startup}.c)
  link=(-nostartfiles --specs=nano.specs -T "$here/cortex_m/image.ld"
    "-Wl,--defsym=image_flash=$2,--defsym=image_ram=$3")
}

# choose TARGET: its compiler, what starts its programs, and what they are linked with.
choose() {
  case $1 in
    gcc | clang) linux "$1" ;;
    gcc-32) linux gcc -m32 ;;
    gcc-sanitized) linux gcc -fsanitize=address,undefined -fno-sanitize-recover=all ;;
    cortex-m3) cortex_m mps2-an385 0x00000000 0x20000000 cortex-m3 ;;
    cortex-m4) cortex_m mps2-an386 0x00000000 0x20000000 cortex-m4 ;;
    cortex-m33) cortex_m mps2-an505 0x10000000 0x38000000 cortex-m33 ;;
    *) linux "$1-linux-gnu-gcc" && start=("qemu-$1-static") link=(-static) ;;
  esac
  local tool
  for tool in "${compiler[0]}" ${start[0]:+"${start[0]}"}; do
    command -v "$tool" >/dev/null || skip "no $tool"
  done
  mkdir -p programs
  printf '#include <string.h>\nint main(void) { return 0; }\n' |
    "${compiler[@]}" -x c - "${link[@]}" -o "$(program_path none "$1")" 2>/dev/null ||
    skip "no C library for ${compiler[*]}"
}

# compile CODE PROGRAM FLAG... SOURCE...: the network digits.c in the folder CODE, and what runs it.
compile() {
  "${compiler[@]}" -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$1" -I"$here" "${@:3}" \
    "$1/digits.c" "${link[@]}" -o "$2"
}

# program_path WORD...: where a program of that description is put.
program_path() {
  echo "$PWD/programs/$(tr -c 'a-zA-Z0-9' _ <<<"$*")"
}
