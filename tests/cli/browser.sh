#!/usr/bin/env bash
# usage: browser.sh RUNG SAMPLE_OF_MNIST FOLDER
# Opens reports in a browser, from disk, in a frame as narrow as a telephone: every chart is drawn, nothing is asked for
# over a network, and the console stays empty. Without a browser, or where rung can write no report: 77.
set -euo pipefail
rung=$1 sample=$2 folder=$3

skip() {
  echo "$1"
  exit 77
}

browser=
for name in chromium chromium-browser google-chrome; do
  ! command -v "$name" >/dev/null || browser=$name
done
[[ $browser ]] || skip "no browser (chromium, chromium-browser or google-chrome)"
[[ $("$rung" version) == *"JSON: yes"* ]] || skip "no cJSON: there is no model to report on"

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"

# What the frame's page says of itself (data-state and the like in page.js), and what can be seen of it from outside:
# its width, how many of its canvases are blank, and how many charts have no point.
cat >look.html <<'END'
<!doctype html><title>not looked</title><iframe id="frame" style="width: 360px; height: 9000px"></iframe>
<script>
const frame = document.getElementById("frame");
frame.onload = () => {
  const page = frame.contentDocument, canvases = [...page.querySelectorAll("canvas")];
  const blank = (canvas) => !canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .some((value, i) => i % 4 === 3 && value);
  const { state, errors, requests, charts } = page.documentElement.dataset;
  document.title = `state=${state} errors=${errors} requests=${requests} charts=${charts}` +
    ` blank=${canvases.filter(blank).length} empty=${page.querySelectorAll("canvas[data-points='0']").length}` +
    ` figures=${page.querySelectorAll("figure h2").length} pictures=${page.querySelectorAll(".pictures canvas").length}` +
    ` narrow=${page.documentElement.scrollWidth <= 360} hacked=${frame.contentWindow.hacked !== undefined}`;
};
frame.src = location.hash.slice(1);
</script>
END

# look PAGE: that line; what the console says goes to the file `console`.
look() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$folder/profile" --no-first-run \
    --disable-background-networking --allow-file-access-from-files --enable-logging=stderr --window-size=500,1000 \
    --virtual-time-budget=20000 --dump-dom "file://$folder/look.html#$1" 2>said | sed -n 's/.*<title>\(.*\)<\/title>.*/\1/p'
  grep CONSOLE said >console || true
}

# expect PAGE PART...: the line has every PART, and the console is empty.
expect() {
  local line part
  line=$(look "$1")
  echo "$1: $line"
  [[ $line ]] || skip "$browser does not start: $(tail -n 1 said)"
  for part in "state=drawn errors=0 requests=0" "blank=0 empty=0" "narrow=true hacked=false" "${@:2}"; do
    [[ " $line " == *" $part "* ]] || { echo "expected $part"; exit 1; }
  done
  [[ ! -s console ]] || { cat console; exit 1; }
}

# A page that goes wrong is seen to.
echo '<html data-state="drawn"><script>undefinedFunction()</script>' >wrong.html
[[ $(look wrong.html) == "state=drawn errors=undefined"* && -s console ]] || skip "$browser tells of no error: $(tail -n 1 said)"

charts() { [[ -s has_no_charts ]] && echo 0 || echo "$1"; }

"$rung" train --data "$sample" --validation 200 --model "linear 24, relu, linear 16, relu, linear 10" --epochs 3 -o m -q
"$rung" quantize m --data "$sample" --bits w3a3 -o q -q
"$rung" train --from q --data "$sample" --validation 200 --epochs 2 -o q -q
"$rung" report q --data "$sample" --against m -o pictures.html | grep "no charts" >has_no_charts || true
expect pictures.html "charts=$(charts 9)" figures=7 pictures=48

# Names that would be markup; no pictures, a network with one layer, and one example.
cat >names.csv <<'END'
1,0,</script><script>hacked=1</script>
0,1,<img src=x onerror=hacked=1>
END
"$rung" train --data names.csv --model "linear 2 as </script><script>hacked=1</script>" --epochs 1 -o '<b>&amp;' -q
"$rung" quantize '<b>&amp;' --data names.csv -o '<b>&amp;' -q
"$rung" report '<b>&amp;' --data names.csv -o names.html -q
expect names.html figures=7

# A regression: no classes, so neither a matrix nor examples that changed.
for i in {1..60}; do echo "$i,$((i * i % 7)),$((2 * i))"; done >line.csv
"$rung" train --data line.csv --task regression --model "linear 8, relu, linear 1" --epochs 2 -o r -q
"$rung" quantize r --data line.csv --task regression -o r -q
"$rung" report r --data line.csv --task regression -o line.html -q
expect line.html figures=5 pictures=0
