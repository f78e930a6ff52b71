#!/usr/bin/env bash
# Git hook that rejects a commit if clang-format would change a staged C++ or CUDA file. It checks staged contents, not the working tree.
# To install:  ln -s ../../scripts/pre-commit.sh .git/hooks/pre-commit
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
command -v clang-format >/dev/null || { echo "pre-commit: clang-format is missing: apt-get install clang-format" >&2; exit 1; }
unformatted=()
while IFS= read -r -d '' file; do
  git show ":$file" | clang-format --dry-run --Werror --assume-filename="$file" 2>/dev/null || unformatted+=("$file")
done < <(git diff --cached --name-only -z --diff-filter=ACMR -- '*.h' '*.cpp' '*.inc' '*.cu' '*.cuh')
((!${#unformatted[@]})) && exit 0
printf 'pre-commit: run  clang-format -i %s  and stage again\n' "${unformatted[*]}" >&2
exit 1
