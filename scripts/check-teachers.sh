#!/usr/bin/env bash
# Compares the tokens of every kind of teacher with timm, transformers and open_clip, tiny and base, with random weights. Run by
# hand; takes minutes. Needs a Python (PYTHON, default python3) with torch, timm, transformers, open_clip_torch and safetensors,
# and temporarily 2 GB in TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --build build --target tower_tokens >&2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
"${PYTHON:-python3}" scripts/check_teachers.py build/bin/tower_tokens "$work"
