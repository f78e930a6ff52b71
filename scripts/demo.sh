#!/usr/bin/env bash
# Set-up, build of the program, then the demonstration on Fashion-MNIST. Arguments go to `fastconvmae demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/build.sh fastconvmae
exec build/bin/fastconvmae demo "$@"
