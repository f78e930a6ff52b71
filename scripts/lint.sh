#!/usr/bin/env bash
# Style:  scripts/lint.sh [--text|--tidy] [--all]
#   --text   formatting and width of all sources: seconds
#   --tidy   clang-tidy's short allow-list (.clang-tidy): the files that changed since the branch left main (since the last commit
#            where there is no origin/main); where CI is set also the folders without LibTorch; with --all every file
# Without one of them: both. Nothing has to be built before.
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
  # What clang-format leaves as it is: comments.
  if git ls-files -z '*.h' '*.cpp' '*.inc' '*.cu' '*.cuh' | xargs -0 grep -nHP '^\s*//.*' | grep -P '^[^:]*:\d+:.{101,}'; then
    echo "lint: these comments are wider than 100 columns" >&2
    exit 1
  fi
  echo "lint: formatting is clean"
fi
((tidy)) || exit 0

# Clang cannot read what GCC precompiled. Its own, beside that, takes a file with LibTorch from half a minute to a quarter.
precompile() {  # once for each header that a build precompiles
  local command header arguments flag
  while read -r command; do
    header=$(sed -E 's/.* -include (\S+\.hxx) .*/\1/' <<< "$command")
    [[ "$header.pch" -nt "$header" ]] && continue
    arguments=${command#* } arguments=${arguments%% -x c++-header*}
    for flag in -fpch-preprocess -Winvalid-pch -Werror; do arguments=${arguments//$flag/}; done
    # shellcheck disable=SC2086  # words of a command line
    (cd "$tidy_build" && clang++ $arguments -w -x c++-header "$header" -o "$header.pch")
  done < <(sed -n 's/^ *"command": "\(.* -o \S*\.hxx\.gch .*\)",\{0,1\}$/\1/p' "$tidy_build/compile_commands.json")
}

# Sources that clang-tidy is to read: without words all. Kernel files that are compiled several times with flags of their own are
# checked once, where they are plain. Clang 14 does not know the names that processor.cpp gives AMX.
sources() { git ls-files "$@" | grep '\.cpp$' | grep -vE '_(avx2|avx512|vnni|amx|cuda)\.cpp$|^fcm/base/processor\.cpp$'; }

# Changed sources, and those beside a changed header of their name.
changed() {
  local base=""
  [[ -n "${CI:-}" ]] || base=$(git merge-base HEAD origin/main 2>/dev/null || true)  # CI has no hours for a long branch
  [[ -n "$base" && "$base" != "$(git rev-parse HEAD)" ]] || base=$(git rev-parse --verify -q HEAD~1 || git hash-object -t tree /dev/null)
  git diff --name-only "$base" | sed -nE 's/\.(h|cpp)$/.cpp/p' | sort -u
}

mapfile -t folders < <(sed -nE '/^[a-z]+:/{/(^| )torch( |$)/!s/^([a-z]+):.*/fcm\/\1\//p}' fcm/edges.txt)
everything=(fcm apps bench reference)
# A build folder of its own, never built: its list of commands has each file by itself.
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
