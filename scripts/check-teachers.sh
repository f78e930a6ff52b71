#!/usr/bin/env bash
# Tokens of every kind of teacher against timm, transformers and open_clip, tiny and base, from random weights. By hand;
# minutes. Needs a Python (PYTHON, default python3) with torch, timm, transformers, open_clip_torch and safetensors, and
# 2 GB below TMPDIR meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --build build --target tower_tokens >&2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
"${PYTHON:-python3}" scripts/check_teachers.py build/bin/tower_tokens "$work"
