#!/usr/bin/env bash
# Runs set-up, style checks, build and tests. Further arguments go to ctest (for example: -R masks).
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
bash scripts/lint.sh  # first, because the build takes many minutes
bash scripts/build.sh
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" -LE slow "$@"
