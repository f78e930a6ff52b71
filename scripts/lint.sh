#!/usr/bin/env bash
# Formatting of all sources, and clang-tidy's short allow-list on the folders that do not use LibTorch
# (with LibTorch's headers clang-tidy takes half a minute a file).
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cpp' '*.inc' '*.cu' '*.cuh' | xargs -r clang-format --dry-run --Werror
echo "lint: formatting is clean"

mapfile -t folders < <(sed -nE '/^[a-z]+:/{/(^| )torch( |$)/!s/^([a-z]+):.*/\1/p}' fcm/edges.txt)
# Kernel files are compiled several times with flags of their own; their text is checked once, where it is plain.
git ls-files "${folders[@]/#/fcm/}" | grep '\.cpp$' | grep -vE '_(avx2|avx512|vnni|amx)\.cpp$' |
  xargs -r -P "$(nproc)" -n 4 clang-tidy -p build --quiet 2>&1 | { grep -vE '^[0-9]+ warnings? generated' || true; } | tee build/tidy.txt
! grep -qE 'error:' build/tidy.txt
echo "lint: clang-tidy found nothing in ${folders[*]}"
