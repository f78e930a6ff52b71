#!/usr/bin/env bash
# Runs the commands that the documentation shows to newcomers: the section "Try all of it" of docs/your-own-images.md, verbatim (it
# uses synthetic images), and the README's `launch` line, limited to 4 steps. Exit status 1: a command failed. (check-packages.sh
# compiles the README's C++ example.)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
[[ -x build/bin/fastconvmae ]] || bash scripts/build.sh fastconvmae
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH="$root/build/bin:$PATH"
cp docs/images/demo-reconstructions.png "$work/photo.jpg"  # the format is recognised by content, not by extension
mapfile -t commands < <(sed -n '/^## Try all of it/,/^## What to expect/s/^    \(fastconvmae .*\)/\1/p' docs/your-own-images.md)
mapfile -t launch < <(sed -n 's/^    \(fastconvmae launch .*\)/\1 --set run.max_steps=4/p' README.md)
((${#commands[@]} >= 8 && ${#launch[@]} == 1)) || { echo "check-readme: expected at least 8 commands in docs/your-own-images.md and one launch line in README.md" >&2; exit 1; }
cd "$work"
for command in "${commands[@]}" "${launch[@]}"; do
  echo "check-readme: $command"
  bash -c "$command" >said 2>&1 || { cat said >&2; echo "check-readme: failed: $command" >&2; exit 1; }
done
echo "check-readme: $((${#commands[@]} + ${#launch[@]})) commands of the documentation succeeded"
