#!/usr/bin/env bash
# Set-up, build, then the demonstration on Fashion-MNIST. Arguments go to `fastconvmae demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/build.sh
exec build/bin/fastconvmae demo "$@"
