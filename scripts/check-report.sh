#!/usr/bin/env bash
# Opens pages of `report` in Chromium:  scripts/check-report.sh [PROGRAM [FOLDER]]
#
# Makes smoke runs and pages of one, of three and of eight runs, and shows each 390 and 1440 pixels wide, light and dark. Fails where
# a page is wider than its window, wants anything that its policy forbids, loads anything, or has an error. What is measured is a
# copy whose policy lets one script of ours run; a copy with a planted fault must fail. Pictures of all stay in FOLDER, if given.
# Exit status 77: there is no Chromium (Debian: chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-build/bin/fastconvmae}
chromium=$(command -v chromium || command -v chromium-browser || true)
if [[ -z $chromium ]]; then
  echo "skipped: no chromium here" >&2
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pictures=${2:-$scratch/pictures}
mkdir -p "$pictures"

# Runs: two that are alike but for their rate, one of another task, one that was stopped early and is none the worse for it.
run() { "$program" --quiet "$@" >/dev/null; }
runs=$scratch/runs
smoke=(pretrain --recipe smoke_pretrain --data synthetic --set run.log_every_steps=1)
run "${smoke[@]}" --set run.knn_every_epochs=1 --out "$runs/usual"
run "${smoke[@]}" --set run.knn_every_epochs=1 --set optim.base_lr=3e-3 --out "$runs/with-a-lower-rate-and-a-name-that-no-legend-has-room-for"
run "${smoke[@]}" --set run.max_steps=2 --out "$runs/short"
run finetune --recipe smoke_finetune --data synthetic --checkpoint "$runs/usual" --out "$runs/tuned"
for i in 1 2 3 4; do cp -r "$runs/usual" "$runs/copy-$i"; done
sed -i 3,\$d "$runs/copy-1/log.jsonl"  # as if it ran still
: >"$runs/copy-2/log.jsonl"            # as if it had just begun

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

# The copy that says what is wrong with it, from a frame of the wanted width: a window of Chromium has at least 500 pixels.
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

# Each of these has to be noticed.
plant() {  # NAME TEXT WORD
  sed "s|<main>|<main>$2|" "$scratch/one.html" >"$scratch/planted.html"
  said=$(faults_of "$scratch/planted.html" 390 light)
  [[ $said == *"$3"* ]] || { echo "not noticed: $1 ($said)"; failed=1; }
}
plant "a wide table" '<div style="width:800px">x</div>' "wide: "
plant "a picture from elsewhere" '<img src="https://example.org/a.png">' "forbidden: "
plant "a script that fails" '<script>nothing.at.all</script>' "error: "
exit $failed
