#!/usr/bin/env bash
# Set-up, build, style checks, tests. Further arguments go to ctest (for example: -R masks).
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/build.sh
bash scripts/lint.sh
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" -LE slow "$@"
