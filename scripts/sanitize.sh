#!/usr/bin/env bash
# Tests of pictures and the loader under a sanitizer, in a build folder of their own (build/sanitize-NAME):
#   scripts/sanitize.sh thread|address [GTEST_FILTER]
# Both folders are free of LibTorch, so that everything but the codecs and {fmt} is instrumented. Exit status 1: a report or a failed test.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  thread) flags="-fsanitize=thread" ;;
  address) flags="-fsanitize=address,undefined -fno-sanitize-recover=all" ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
out="build/sanitize-$1"
torch_root=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")  # for configuring only
cmake -S . -B "$out" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -g -fno-omit-frame-pointer $flags" -DLIBTORCH_ROOT="$torch_root" >/dev/null
ninja -C "$out" test_image test_loader
export TSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=1
for test in test_image test_loader; do "$out/bin/$test" --gtest_brief=1 --gtest_filter="${2:-*}"; done
echo "sanitize: $1: no report"
