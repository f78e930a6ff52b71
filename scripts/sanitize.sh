#!/usr/bin/env bash
# Tests of pictures and the loader under a sanitizer, by the presets asan and tsan (CMakePresets.json), in build/asan or build/tsan:
#   scripts/sanitize.sh thread|address [GTEST_FILTER]
# Both folders are free of LibTorch, so that everything but the codecs and {fmt} is instrumented. Exit status 1: a report or a failed test.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  thread) preset=tsan ;;
  address) preset=asan ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
export TSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=1
for test in test_image test_loader; do "build/$preset/bin/$test" --gtest_brief=1 --gtest_filter="${2:-*}"; done
echo "sanitize: $1: no report"
