# What the scripts share; to be sourced. Sets $root, the repository's folder, and goes there.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# The Debian packages of the libraries that Rung uses when found.
libraries=(zlib1g-dev libcjson-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libjs-chart.js)

# has PACKAGE: is what the Debian package of that name brings there, from wherever it came?
has() {
  case $1 in
    ninja-build) command -v ninja ;;
    libc6-dev) [[ -f /usr/include/stdio.h ]] ;;
    check) pkg-config --exists check ;;
    zlib1g-dev) pkg-config --exists zlib ;;
    libcjson-dev) pkg-config --exists libcjson ;;
    libprotobuf-c-dev) pkg-config --exists libprotobuf-c ;;
    protobuf-c-compiler) command -v protoc-c ;;
    libjs-chart.js) [[ -f /usr/share/javascript/chart.js/chart.min.js ]] ;;
    *) command -v "$1" || [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1") == installed ]] ;;
  esac >/dev/null 2>&1
}

# apt_get ARGUMENT...: as root, asking nothing.
apt_get() {
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --option DPkg::Lock::Timeout=120 "$@")
  if [[ $EUID == 0 ]]; then
    "${command[@]}"
  else
    sudo --non-interactive "${command[@]}"
  fi
}

# need PACKAGE...: installs those that are missing. Silent, but for one line where it cannot.
need() {
  local missing=() said package install
  for package; do
    has "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} != 0 ]] || return 0
  [[ ! -t 2 ]] || echo "installing ${missing[*]}" >&2
  install=(install --yes --no-install-recommends "${missing[@]}")
  if said=$(apt_get "${install[@]}" 2>&1) || said=$(apt_get update 2>&1 && apt_get "${install[@]}" 2>&1); then
    return
  fi
  echo "$(basename "$0"): cannot install ${missing[*]}: $(tail -n 1 <<<"$said")" >&2
  exit 1
}

# run_tests TREE NAME [CTEST_OPTION...]: ctest in build/TREE, its report in build/TREE/NAME.xml; then what was skipped
# and why, and the totals.
run_tests() {
  local report=$root/build/$1/$2.xml status=0
  rm -f "$report"
  ctest --test-dir "build/$1" --output-on-failure --parallel 2 --no-tests=error --output-junit "$report" "${@:3}" ||
    status=$?
  [[ -f $report ]] || return "$status"
  echo
  totals "$report"
  return "$status"
}

# totals REPORT...: of ctest's reports: each skipped test with the last line it printed, then
# "N passed, N failed, N skipped".
totals() {
  awk '
    /^\t<testcase / { split($0, quoted, "\""); name = quoted[2]; reason = ""; skip = 0; count++ }
    /^\t<testcase .*status="run"/ { passed++ }
    /^\t\t<skipped message="SKIP_RETURN_CODE/ { skip = 1; skipped++ }
    /^\t<\/testcase>/ && skip { print "skipped: " name ": " reason }
    { gsub(/<[^>]*>|^[ \t]+/, ""); gsub(/&lt;/, "<"); gsub(/&gt;/, ">"); gsub(/&quot;/, "\""); gsub(/&amp;/, "\\&") }
    /[^ \t]/ { reason = $0 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, count - passed - skipped, skipped }' "$@"
}
