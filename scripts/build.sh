#!/usr/bin/env bash
# Sets up, configures and builds. The program ends up at build/bin/fastconvmae.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
torch_root=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIBTORCH_ROOT="$torch_root"
cmake --build build
