#!/usr/bin/env bash
# Makes a folder, or with a name that ends in .tar.gz an archive of one, that runs on a machine where nothing can be installed and
# only the torch wheel is present, as on GPU nodes of clusters:  scripts/bundle.sh [DIR=build/bundle]
# In it: bin/ (launchers of fastconvmae, parity, test_ops, test_train), what they start and need (components program, data, private
# and checks of cmake/Install.cmake), gpu-checks.sh. With CUDA where a toolkit is. cmake/launcher.sh.in says where LibTorch is
# looked for.
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
if have_nvcc; then configure_with_cuda; else echo "bundle: no CUDA toolkit (nvcc): the bundle is for processors alone"; fi
[[ -f build/build.ninja ]] || bash scripts/build.sh fastconvmae
programs=(fastconvmae parity test_ops test_train)
ninja -C build "${programs[@]/%/$cuda_suffix}" shell_files

# Only what an earlier call made is replaced.
mark="$out/.fastconvmae-bundle"
if [[ -e "$out" && ! -e "$mark" && -n "$(ls -A "$out")" ]]; then
  echo "bundle: $out holds something that is no bundle; name another folder" >&2
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
