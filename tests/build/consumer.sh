#!/usr/bin/env bash
# A program outside of the repository that uses an installed Rung.
# usage: consumer.sh FOLDER install CMAKE BUILD_TREE   Rung into FOLDER/prefix
#        consumer.sh FOLDER the_command                what was installed of the command is there and works
#        consumer.sh FOLDER find_package CMAKE C|CXX   the program by CMake, in a project of that one language
#        consumer.sh FOLDER pkg_config shared|static   the program by pkg-config
# Compilers and flags: CC, CXX, CFLAGS, CXXFLAGS.
set -euo pipefail
source=$(cd "$(dirname "$0")" && pwd)/consumer
mkdir -p "$1"
cd "$1"
prefix=$PWD/prefix

# run PROGRAM shared|static: it works, and it does or does not need librung.so.
run() {
  "$1"
  local needs=static
  ! readelf -d "$1" | grep -q 'NEEDED.*librung\.so' || needs=shared
  [[ $needs == "$2" ]] || { echo "$1 is $needs, wanted $2"; exit 1; }
}

install() {
  rm -rf prefix elsewhere
  "$1" --install "$2" --prefix "$PWD/elsewhere"
  mv elsewhere prefix # nothing may remember where it was
}

the_command() {
  prefix/bin/rung version
  [[ -f prefix/share/man/man1/rung-train.1 ]]
  bash -n prefix/share/bash-completion/completions/rung
}

find_package() {
  rm -rf "$2"
  "$1" -S "$source" -B "$2" "-DCMAKE_PREFIX_PATH=$prefix" "-DLANGUAGE=$2"
  "$1" --build "$2"
  run "$2/with_static" static
  run "$2/with_shared" shared
  run "$2/with_rung" shared
}

pkg_config() {
  local flags options=()
  rm -rf "$1"
  if [[ $1 == static ]]; then # the linker takes a shared library where there is one
    options=(--static)
    cp -r prefix static
    rm static/lib*/librung.so*
  else
    cp -r prefix shared
  fi
  flags=$(PKG_CONFIG_PATH=$(echo "$PWD/$1"/lib*/pkgconfig) pkg-config "${options[@]}" --cflags --libs rung)
  # shellcheck disable=SC2086
  "$CC" $CFLAGS -o "$1/program" "$source/main.c" $flags "-Wl,-rpath,$(echo "$PWD/$1"/lib*)"
  run "$1/program" "$1"
}

"${@:2}"
