#!/usr/bin/env bash
# Profiles a training step by operator: seconds, share of the step, GFLOP/s or GB/s, and share of the machine's peaks (as
# `bench peak` measures them). Takes any recipe and any flag of `bench step`:
#     bash scripts/profile.sh [RECIPE] [--batch N] [--precision fp32|bf16] [--set section.key=value] [--json]
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=fastconvmae_base_in1k_50ep
if [[ $# -gt 0 && $1 != --* ]]; then recipe=$1; shift; fi
[[ -x build/bin/fastconvmae ]] || bash scripts/build.sh fastconvmae
exec build/bin/fastconvmae bench step --recipe "$recipe" --implementation fast --steps 3 --profile "$@"
