#!/usr/bin/env bash
# Opens pages of `report` in Chromium:  scripts/check-report.sh [PROGRAM [FOLDER]]
#
# Trains smoke runs, writes pages of one, three and eight runs, and opens each 390 and 1440 pixels wide, light and dark. Fails if a
# page overflows its window, violates its content security policy, loads a resource, or has an error. It checks a copy of each page
# whose policy allows one test script; a copy with a planted fault must fail. Screenshots are kept in FOLDER, if given.
# Exit status 77: Chromium is not installed (Debian: chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-build/bin/fastconvmae}
chromium=$(command -v chromium || command -v chromium-browser || true)
if [[ -z $chromium ]]; then
  echo "skipped: chromium is not installed" >&2
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pictures=${2:-$scratch/pictures}
mkdir -p "$pictures"

# Runs: two that differ only in the learning rate, one of another task, one that was stopped early.
run() { "$program" --quiet "$@" >/dev/null; }
runs=$scratch/runs
smoke=(pretrain --recipe smoke_pretrain --data synthetic --set run.log_every_steps=1)
run "${smoke[@]}" --set run.knn_every_epochs=1 --out "$runs/usual"
run "${smoke[@]}" --set run.knn_every_epochs=1 --set optim.base_lr=3e-3 --out "$runs/with-a-lower-rate-and-a-name-that-no-legend-has-room-for"
run "${smoke[@]}" --set run.max_steps=2 --out "$runs/short"
run finetune --recipe smoke_finetune --data synthetic --checkpoint "$runs/usual" --out "$runs/tuned"
for i in 1 2 3 4; do cp -r "$runs/usual" "$runs/copy-$i"; done
sed -i 3,\$d "$runs/copy-1/log.jsonl"  # like a run in progress
: >"$runs/copy-2/log.jsonl"            # like a run that has just started

"$program" --quiet report "$runs/usual" --out "$scratch/one.html" >/dev/null
"$program" --quiet report "$runs/tuned" --out "$scratch/tuned.html" >/dev/null
"$program" --quiet report "$runs"/{usual,with*,tuned} --out "$scratch/three.html" >/dev/null
"$program" --quiet report "$runs"/* --out "$scratch/eight.html" >/dev/null

browse() {  # WIDTH HEIGHT light|dark FILE FLAGS...
  local width=$1 height=$2 scheme=$3 file=$4 number=1
  shift 4
  [[ $scheme == dark ]] && number=0
  timeout 60 "$chromium" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$scratch/profile" \
    --blink-settings=preferredColorScheme=$number --window-size="$width,$height" "$@" "file://$file" 2>"$scratch/said"
}

# A copy of the page that reports its own faults. A frame gives it its width: a Chromium window is at least 500 pixels wide.
script='<script>
const faults = [];
addEventListener("error", event => faults.push("error: " + event.message), true);
document.addEventListener("securitypolicyviolation", event => faults.push("forbidden: " + event.blockedURI));
addEventListener("load", () => {
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push("wide: " + root.scrollWidth);
  for (const entry of performance.getEntriesByType("resource")) {
    if (!entry.name.startsWith("data:")) faults.push("loaded: " + entry.name);
  }
  for (const input of document.querySelectorAll("input")) {
    input.checked = true;
    const shown = [...document.querySelectorAll(".over")].filter(one => one.offsetHeight > 0);
    if (shown.length != 1 || !shown[0].classList.contains(input.id)) faults.push("switch: " + input.id);
  }
  parent.postMessage("measured " + innerWidth + ": " + (faults.join("; ") || "fine"), "*");
});
</script>'
faults_of() {  # FILE WIDTH SCHEME
  SCRIPT=$script perl -pe "s/default-src 'none'/default-src 'none'; script-src 'unsafe-inline'/; s/<head>/<head>\$ENV{SCRIPT}/" \
    "$1" >"$scratch/copy.html"
  cat >"$scratch/frame.html" <<END
<!doctype html><title>nothing</title><body style="margin:0"><script>onmessage = event => { document.title = event.data; };</script>
<iframe src="copy.html" style="border:0;width:$2px;height:900px"></iframe>
END
  browse 1500 1000 "$3" "$scratch/frame.html" --virtual-time-budget=3000 --dump-dom >"$scratch/dom"
  sed -n 's|.*<title>\([^<]*\)</title>.*|\1|p' "$scratch/dom"
}

failed=0
for page in one tuned three eight; do
  for width in 390 1440; do
    for scheme in light dark; do
      said=$(faults_of "$scratch/$page.html" "$width" "$scheme")
      echo "$page, $width pixels, $scheme: $said"
      [[ $said == "measured $width: fine" ]] || failed=1
      browse "$width" $((width == 390 ? 5200 : 3600)) "$scheme" "$scratch/$page.html" --screenshot="$pictures/$page-$width-$scheme.png" >/dev/null
      [[ -s $pictures/$page-$width-$scheme.png ]] || failed=1
    done
  done
done

# Each of these faults must be detected.
plant() {  # NAME TEXT WORD
  sed "s|<main>|<main>$2|" "$scratch/one.html" >"$scratch/planted.html"
  said=$(faults_of "$scratch/planted.html" 390 light)
  [[ $said == *"$3"* ]] || { echo "not detected: $1 ($said)"; failed=1; }
}
plant "a wide table" '<div style="width:800px">x</div>' "wide: "
plant "a picture from elsewhere" '<img src="https://example.org/a.png">' "forbidden: "
plant "a script that fails" '<script>nothing.at.all</script>' "error: "
exit $failed
