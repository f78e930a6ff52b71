#!/usr/bin/env bash
# Builds a relocatable folder, or an archive if the name ends in .tar.gz, for machines where nothing can be installed and only the
# torch wheel is present, such as GPU nodes of clusters:  scripts/bundle.sh [DIR=build/bundle]
# Contents: bin/ (launchers of fastconvmae, parity, test_ops, test_train), the programs and their dependencies (components program,
# data, private and checks of cmake/Install.cmake), and gpu-checks.sh. Includes CUDA code if a toolkit is installed.
# cmake/launcher.sh.in defines where LibTorch is searched for.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-build/bundle}" archive=""
if [[ "$out" == *.tar.gz ]]; then
  archive="$out"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  out="$work/$(basename "$archive" .tar.gz)"
fi
source scripts/with-cuda.sh
cuda_suffix=""
if have_nvcc; then configure_with_cuda; else echo "bundle: no CUDA toolkit (nvcc): the bundle is CPU-only"; fi
[[ -f build/build.ninja ]] || bash scripts/build.sh fastconvmae
programs=(fastconvmae parity test_ops test_train)
ninja -C build "${programs[@]/%/$cuda_suffix}" shell_files

# Replaces only a bundle that an earlier call built.
mark="$out/.fastconvmae-bundle"
if [[ -e "$out" && ! -e "$mark" && -n "$(ls -A "$out")" ]]; then
  echo "bundle: $out exists and is not a bundle; name another folder" >&2
  exit 2
fi
rm -rf "${out:?}"/{bin,lib,libexec,share,gpu-checks.sh}
mkdir -p "$out"
touch "$mark"
for component in "program$cuda_suffix" data private "checks$cuda_suffix"; do
  cmake --install build --prefix "$(realpath "$out")" --strip --component "$component" >/dev/null
done
size=$(du -sm "$out" | cut -f1)
((size < 60)) || { echo "bundle: $out is larger than 60 MiB" >&2; exit 1; }
if [[ -n "$archive" ]]; then tar -czf "$archive" -C "$work" --owner=0 --group=0 "$(basename "$out")"; fi
echo "bundle: ${archive:-$out}, $size MiB"
