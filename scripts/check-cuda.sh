#!/usr/bin/env bash
# Compiles and links the CUDA code on any machine with a toolkit, GPU or not, beside what build/ holds: only the CUDA files are
# compiled, everything else is linked from there. Then, without a GPU, the linked program says what it is and trains a little on
# the processor, --device cuda is refused for its reason, and a test program passes. Exit status 0 without a toolkit: nothing was checked.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v nvcc /usr/local/cuda/bin/nvcc "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" >/dev/null; then
  echo "check-cuda: no CUDA toolkit (nvcc) on this machine: the CUDA code was NOT checked"
  exit 0
fi
FASTCONVMAE_CUDA=1 bash scripts/setup.sh
torch_root=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")
program=build/bin/fastconvmae tests=build/bin/test_models
if ! grep -qs 'FASTCONVMAE_CUDA:STRING=ON' build/CMakeCache.txt; then
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIBTORCH_ROOT="$torch_root" -DFASTCONVMAE_CUDA=CHECK
  program=build/bin/fastconvmae_cuda tests=build/bin/test_models_cuda
fi
ninja -C build "${program##*/}" "${tests##*/}"

facts=$("$program" --version --json)
echo "$facts"
grep -q '"built": *true' <<< "$facts" || { echo "check-cuda: the program does not know its CUDA code" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" pretrain --recipe smoke_pretrain --data synthetic --out "$work/cpu" --device cpu --quiet
if grep -q '"devices": *\[\]' <<< "$facts"; then
  status=0
  "$program" pretrain --recipe smoke_pretrain --data synthetic --out "$work/cuda" --device cuda --quiet || status=$?
  [[ $status == 6 ]] || { echo "check-cuda: --device cuda without a GPU ended with status $status, not 6" >&2; exit 1; }
fi
"$tests" --gtest_brief=1 --gtest_filter="MaskedAutoencoder*"
echo "check-cuda: compiled, linked, and runs on the processor"
