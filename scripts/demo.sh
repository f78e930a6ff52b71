#!/usr/bin/env bash
# Installs dependencies, builds the program and runs the demo on Fashion-MNIST. Arguments go to `fastconvmae demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/build.sh fastconvmae
exec build/bin/fastconvmae demo "$@"
