#!/usr/bin/env bash
# Builds a package for the current Debian release:  scripts/deb.sh [DIR=build/packages]     then: apt install ./DIR/fastconvmae_*.deb
# Contents: components program and data of cmake/Install.cmake. It uses Debian's shared libraries, and searches for LibTorch as
# cmake/launcher.sh.in defines.
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
