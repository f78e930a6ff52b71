#!/usr/bin/env bash
# Runs what the pages tell a newcomer to type: the commands of docs/your-own-images.md on drawn images, each as it stands there, and
# the README's line for two processes, cut short. Exit status 1: one of them failed. (The README's C++ is compiled by
# check-packages.sh, its two scripts are what everybody runs.)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
[[ -x build/bin/fastconvmae ]] || bash scripts/build.sh fastconvmae
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH="$root/build/bin:$PATH"
cp docs/pictures/demo-reconstructions.png "$work/photo.jpg"  # content decides, not the ending
mapfile -t commands < <(sed -n '/^## Try all of it/,/^## What to expect/s/^    \(fastconvmae .*\)/\1/p' docs/your-own-images.md)
mapfile -t launch < <(sed -n 's/^    \(fastconvmae launch .*\)/\1 --set run.max_steps=4/p' README.md)
((${#commands[@]} >= 8 && ${#launch[@]} == 1)) || { echo "check-readme: the pages have no such commands" >&2; exit 1; }
cd "$work"
for command in "${commands[@]}" "${launch[@]}"; do
  echo "check-readme: $command"
  bash -c "$command" >said 2>&1 || { cat said >&2; echo "check-readme: failed: $command" >&2; exit 1; }
done
echo "check-readme: $((${#commands[@]} + ${#launch[@]})) commands did what the pages say"
