#!/usr/bin/env bash
# Builds a wheel:  scripts/wheel.sh [DIR=build/packages]     then: pip install DIR/fastconvmae-*.whl
# Contents: the command and its launcher, recipes, shared libraries other than LibTorch's, licences (components program, data and
# private of cmake/Install.cmake). No Python module. pip fetches torch, whose LibTorch the command uses. The wheel needs this
# machine's glibc version or a later one; it contains CUDA code if build/ was configured with FASTCONVMAE_CUDA=ON.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-build/packages}"
[[ -f build/build.ninja ]] || bash scripts/build.sh fastconvmae
ninja -C build fastconvmae shell_files
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' build/CMakeCache.txt)
torch=$(sed -nE 's/^torch==([0-9]+\.[0-9]+)\..*/\1/p' cmake/torch-cpu.lock)
libc=$(getconf GNU_LIBC_VERSION)  # "glibc 2.36"
libc=${libc#* }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/tree" place="$work/tree/fastconvmae-$version"
mkdir -p "$tree" "$place.data"/{data,scripts} "$place.dist-info"
for component in program data private; do
  cmake --install build --prefix "$place.data/data" --strip --component "$component" >/dev/null
done
mv "$place.data/data/bin/fastconvmae" "$place.data/scripts/"
rmdir "$place.data/data/bin"
mv "$place.data/data/share/doc/fastconvmae" "$place.dist-info/licenses"
rmdir "$place.data/data/share/doc"
cat > "$place.dist-info/WHEEL" <<END
Wheel-Version: 1.0
Generator: scripts/wheel.sh
Root-Is-Purelib: false
Tag: py3-none-manylinux_${libc/./_}_$(uname -m)
END
cat > "$place.dist-info/METADATA" <<END
Metadata-Version: 2.1
Name: fastconvmae
Version: $version
Summary: Fast masked-image pretraining in C++ on LibTorch: Fast ConvMAE, ConvMAE, MAE, SimMIM, GreenMIM
License: MIT
Requires-Python: >=3.10
Requires-Dist: torch==$torch.*
Description-Content-Type: text/markdown

The command fastconvmae: \`fastconvmae --help\`, \`fastconvmae demo\`. It has no Python module and uses the LibTorch of the torch
package in the same environment. $(cat "$place.dist-info/licenses/version").
END
mkdir -p "$out"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s) /usr/bin/python3 -m wheel pack "$tree" --dest-dir "$out" >/dev/null
echo "wheel: $(ls -t "$out"/fastconvmae-*.whl | head -n 1)"
