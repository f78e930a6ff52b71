#!/usr/bin/env bash
# Runs the tests under a sanitizer, with the presets asan and tsan (CMakePresets.json), in build/asan or build/tsan:
#   scripts/sanitize.sh address|thread [--all] [--slow] [--filter GTEST_FILTER] [FOLDER...]
#   address   AddressSanitizer, UndefinedBehaviorSanitizer and, without LibTorch, leaks
#   thread    ThreadSanitizer
#   FOLDER    tests/FOLDER; default: the folders without LibTorch, where everything except the codecs and {fmt} is
#             instrumented; --all: every folder. LibTorch itself is not instrumented, so with it leaks are not checked, and
#             scripts/tsan.supp suppresses reports from its threads
#   --slow    run the slow series of these folders instead of their fast and long tests
# Ends with a table of one line per program; programs that did not build are marked. Exit status 1: a report or a failed test.
# (The presets disable one warning: in instrumented code GCC wrongly reports parts of <regex> as uninitialised.)
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case "${1:-}" in
  thread) preset=tsan ;;
  address) preset=asan ;;
  *) usage ;;
esac
kind="$1"; shift
all=0 labels=("" _long) filter='*' folders=()
while (($#)); do
  case "$1" in
    --all) all=1 ;;
    --slow) labels=(_slow) ;;
    --filter) filter="${2:?}"; shift ;;
    -*) usage ;;
    *) folders+=("$1") ;;
  esac
  shift
done

ulimit -s 262144  # kB: tests search long pages with std::regex, which recurses per character, in large instrumented frames
cmake --preset "$preset" >/dev/null
needs_torch() { ! grep -qx "$1" <<< "$without_torch"; }
# Folders whose tests do not link LibTorch. Those of checkpoint do (tests/CMakeLists.txt), although the folder itself does not.
without_torch=$(sed -nE '/^[a-z]+:/{/(^| )torch( |$)/!s/^([a-z]+):.*/\1/p}' fcm/edges.txt | grep -vx checkpoint)
existing=$(cmake --build "build/$preset" --target help | sed -nE 's/^(test_[a-z_]+): phony$/\1/p')
# The test programs of a folder, by label; without any the folder's name, which fails to build.
programs() {  # FOLDER
  local label found=""
  for label in "${labels[@]}"; do
    grep -x "test_$1$label" <<< "$existing" && found=1
  done
  [[ -n "$found" ]] || echo "test_$1"
}
if ((${#folders[@]} == 0)); then
  for folder in tests/*/; do
    folder=$(basename "$folder")
    for label in "${labels[@]}"; do grep -qx "test_$folder$label" <<< "$existing" && break; done || continue
    ((all)) || ! needs_torch "$folder" || continue
    folders+=("$folder")
  done
fi

table=() status=0
for test in $(for folder in "${folders[@]}"; do programs "$folder"; done); do
  folder=${test#test_} folder=${folder%_long} folder=${folder%_slow}
  log="build/$preset/$test.log"
  if ! cmake --build "build/$preset" -j "$(nproc)" --target "$test" > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    table+=("| $test | - | - | not built |")
    status=1
    continue
  fi
  leaks=1
  ! needs_torch "$folder" || leaks=0
  begin=$SECONDS
  if ASAN_OPTIONS="detect_leaks=$leaks:allocator_may_return_null=1" UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/scripts/tsan.supp" OMP_NUM_THREADS=2 \
    "build/$preset/bin/$test" --gtest_brief=1 --gtest_filter="$filter" > "$log" 2>&1; then
    result="no report"
    ((leaks)) || [[ "$kind" == thread ]] || result+=", leaks not looked for"
  else
    tail -n 40 "$log" >&2
    result="**failed**, see $log"
    status=1
  fi
  tests=$(sed -nE 's/^\[==========\] ([0-9]+) tests? from .* ran.*/\1/p' "$log" | tail -n 1)
  table+=("| $test | ${tests:-?} | $((SECONDS - begin)) | $result |")
done

printf '%s\n' "| program, $kind sanitizer, $(git rev-parse --short HEAD) | tests | seconds | result |" '|---|---|---|---|' "${table[@]}"
exit "$status"
