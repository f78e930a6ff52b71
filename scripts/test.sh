#!/usr/bin/env bash
# Runs set-up, style checks, build and the fast tests:  scripts/test.sh [--long] [CTEST ARGUMENTS...]     (for example: -R masks)
# --long: also the tests labelled "long", which take minutes: every kind of run followed by every command, stored results of the
# upstream programs, CUDA kernels on the emulator, killed ranks. .ci/run does that.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=(fast_tests fastconvmae) labels='slow|long'
if [[ "${1:-}" == --long ]]; then
  shift
  targets=() labels=slow
fi
bash scripts/setup.sh
bash scripts/lint.sh  # first, because the build takes minutes
bash scripts/build.sh "${targets[@]}"
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" -LE "$labels" "$@"
