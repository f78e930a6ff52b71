#!/usr/bin/env bash
# Formatting of all sources, and clang-tidy's short allow-list on the folders that do not need LibTorch
# (a LibTorch header takes clang-tidy half a minute a file).
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cpp' '*.inc' | xargs -r clang-format --dry-run --Werror
echo "lint: formatting is clean"
