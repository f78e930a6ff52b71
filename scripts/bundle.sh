#!/usr/bin/env bash
# Makes a folder that runs on a machine where nothing can be installed and only the torch wheel is present, as on GPU nodes of
# clusters:  scripts/bundle.sh [DIR=build/bundle]
# In it: bin/ (launchers of fastconvmae, parity, test_ops, test_train), lib/ (the few shared libraries that are neither
# LibTorch's nor CUDA's), recipes, gpu-checks.sh. With CUDA where a toolkit is. The launchers find LibTorch through
# FASTCONVMAE_TORCH (the folder of the torch package) or the python3 on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-build/bundle}"
source scripts/with-cuda.sh
programs=(fastconvmae parity test_ops test_train)
cuda_suffix=""
if have_nvcc; then configure_with_cuda; else echo "bundle: no CUDA toolkit (nvcc): the bundle is for processors alone"; fi
ninja -C build "${programs[@]/%/$cuda_suffix}"

# Only what an earlier call made is replaced.
mark="$out/.fastconvmae-bundle"
if [[ -e "$out" && ! -e "$mark" && -n "$(ls -A "$out")" ]]; then
  echo "bundle: $out holds something that is no bundle; name another folder" >&2
  exit 2
fi
rm -rf "$out"/{bin,lib,programs,share,gpu-checks.sh}
mkdir -p "$out"
touch "$mark"
mkdir -p "$out"/{bin,lib,programs,share/fastconvmae}
cp -r recipes "$out/share/fastconvmae/"
cp scripts/gpu-checks.sh "$out/"
for program in "${programs[@]}"; do
  cp "build/bin/$program$cuda_suffix" "$out/programs/$program"
  strip "$out/programs/$program"
  # The paths of this machine's LibTorch go; the launchers say where it is.
  cmake -DFILE="$out/programs/$program" -P cmake/BundleRpath.cmake
  cp scripts/bundle-launcher.sh "$out/bin/$program"
done

# What the programs need themselves and the system's C library does not bring.
ours='^lib(fmt|deflate|jpeg|png16|z|webp|webpdemux|sharpyuv|tiff|jbig|lzma|zstd|Lerc|stdc\+\+|gcc_s)\.so'
for library in $(ldd "build/bin/fastconvmae$cuda_suffix" | awk '$2 == "=>" {print $3}'); do
  if [[ $(basename "$library") =~ $ours ]]; then cp -L "$library" "$out/lib/"; fi
done
size=$(du -sm "$out" | cut -f1)
echo "bundle: $out, $size MiB"
((size < 60)) || { echo "bundle: larger than 60 MiB" >&2; exit 1; }
