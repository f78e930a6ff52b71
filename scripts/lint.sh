#!/usr/bin/env bash
# Style:  scripts/lint.sh [--text|--tidy] [--all]
#   --text   formatting of all C++ and CUDA sources, and width of their comments; takes seconds
#   --tidy   clang-tidy with a short allow-list (.clang-tidy) on files that changed since the branch left main (without origin/main:
#            in the last commit); if CI is set, on files of that commit and of folders without LibTorch; with --all on every file
# Default: both. Needs no build.
set -euo pipefail
cd "$(dirname "$0")/.."
text=1 tidy=1 all=0
for argument in "$@"; do
  case "$argument" in
    --text) tidy=0 ;;
    --tidy) text=0 ;;
    --all) all=1 ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

if ((text)); then
  git ls-files -z '*.h' '*.cpp' '*.inc' '*.cu' '*.cuh' | xargs -0 clang-format --dry-run --Werror
  # clang-format does not wrap comments, so check their width here.
  if git ls-files -z '*.h' '*.cpp' '*.inc' '*.cu' '*.cuh' | xargs -0 grep -nHP '^\s*//.*' | grep -P '^[^:]*:\d+:.{101,}'; then
    echo "lint: these comments are wider than 100 columns" >&2
    exit 1
  fi
  echo "lint: formatting is clean"
fi
((tidy)) || exit 0

# Clang cannot read GCC's precompiled headers, so this makes Clang's own. They halve the time for a file with LibTorch to 15 s.
precompile() {  # one for each header that the build precompiles
  local command header arguments flag
  while read -r command; do
    header=$(sed -E 's/.* -include (\S+\.hxx) .*/\1/' <<< "$command")
    [[ "$header.pch" -nt "$header" ]] && continue
    arguments=${command#* } arguments=${arguments%% -x c++-header*}
    for flag in -fpch-preprocess -Winvalid-pch -Werror; do arguments=${arguments//$flag/}; done
    # shellcheck disable=SC2086  # split into words on purpose
    (cd "$tidy_build" && clang++ $arguments -w -x c++-header "$header" -o "$header.pch")
  done < <(sed -n 's/^ *"command": "\(.* -o \S*\.hxx\.gch .*\)",\{0,1\}$/\1/p' "$tidy_build/compile_commands.json")
}

# Sources for clang-tidy; without arguments all of them. Kernel files that are compiled once per instruction set are checked in
# their plain form only. Clang 14 does not know the AMX intrinsics in processor.cpp.
sources() { git ls-files "$@" | grep '\.cpp$' | grep -vE '_(avx2|avx512|vnni|amx|cuda)\.cpp$|^fcm/base/processor\.cpp$'; }

# Changed sources, and sources whose header of the same name changed.
changed() {
  local base=""
  [[ -n "${CI:-}" ]] || base=$(git merge-base HEAD origin/main 2>/dev/null || true)  # in CI a long branch would take hours
  [[ -n "$base" && "$base" != "$(git rev-parse HEAD)" ]] || base=$(git rev-parse --verify -q HEAD~1 || git hash-object -t tree /dev/null)
  git diff --name-only "$base" | sed -nE 's/\.(h|cpp)$/.cpp/p' | sort -u
}

mapfile -t folders < <(sed -nE '/^[a-z]+:/{/(^| )torch( |$)/!s/^([a-z]+):.*/fcm\/\1\//p}' fcm/edges.txt)
everything=(fcm apps bench reference)
# A separate build folder that is only configured: its compile_commands.json lists each file separately (no unity build).
tidy_build=build/tidy
cmake -S . -B "$tidy_build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFASTCONVMAE_UNITY=OFF >/dev/null
if ((all)); then
  mapfile -t files < <(sources "${everything[@]}")
else
  mapfile -t files < <({ [[ -z "${CI:-}" ]] || sources "${folders[@]}"
                         comm -12 <(changed) <(sources "${everything[@]}" | sort); } | sort -u)
fi
((!${#files[@]})) || precompile
echo "lint: clang-tidy reads ${#files[@]} files"
printf '%s\n' "${files[@]}" | xargs -r -P "$(nproc)" -n 4 clang-tidy -p "$tidy_build" --quiet 2>&1 |
  { grep -vE '^[0-9]+ warnings? generated' || true; } | tee build/tidy.txt
if grep -qE 'error:' build/tidy.txt; then exit 1; fi
echo "lint: clang-tidy found nothing"
