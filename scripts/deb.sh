#!/usr/bin/env bash
# Makes a package for the Debian release it runs on:  scripts/deb.sh [DIR=build/packages]     then: apt install ./DIR/fastconvmae_*.deb
# In it: components program and data of cmake/Install.cmake; shared libraries are those of Debian, and LibTorch is looked for as
# cmake/launcher.sh.in says.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-build/packages}"
[[ -f build/build.ninja ]] || bash scripts/build.sh fastconvmae
ninja -C build fastconvmae shell_files
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cpack --config build/CPackConfig.cmake -B "$work" >"$work/log" || { cat "$work/log" >&2; exit 1; }
mkdir -p "$out"
cp "$work"/*.deb "$out/"
echo "deb: $out/$(cd "$work" && echo *.deb)"
