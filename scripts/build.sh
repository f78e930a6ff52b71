#!/usr/bin/env bash
# Installs dependencies, configures and builds:  scripts/build.sh [TARGET...]     (default: everything, including tests)
# The target fastconvmae is the program build/bin/fastconvmae. CUDA code is built if the machine has a CUDA toolkit and an NVIDIA
# driver, or with FASTCONVMAE_CUDA=1; FASTCONVMAE_CUDA=0 leaves it out.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ "${FASTCONVMAE_CUDA:-auto}" == auto ]]; then
  FASTCONVMAE_CUDA=0
  if [[ -e /proc/driver/nvidia/version ]] && command -v nvcc /usr/local/cuda/bin/nvcc >/dev/null; then FASTCONVMAE_CUDA=1; fi
fi
export FASTCONVMAE_CUDA
bash scripts/setup.sh
torch_root=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")
if [[ "$FASTCONVMAE_CUDA" == 1 ]]; then cuda=ON; else cuda=OFF; fi
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIBTORCH_ROOT="$torch_root" -DFASTCONVMAE_CUDA="$cuda"
cmake --build build ${1:+--target "$@"}
