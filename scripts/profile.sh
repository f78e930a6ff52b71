#!/usr/bin/env bash
# Where the time of a training step goes, operator by operator, beside what this machine can do: seconds, share, GFLOP/s or
# GB/s, share of the measured peak (as `bench peak` measures them). Any recipe, any flag of `bench step`:
#     bash scripts/profile.sh [RECIPE] [--batch N] [--precision fp32|bf16] [--set section.key=value] [--json]
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=fastconvmae_base_in1k_50ep
if [[ $# -gt 0 && $1 != --* ]]; then recipe=$1; shift; fi
[[ -x build/bin/fastconvmae ]] || bash scripts/build.sh fastconvmae
exec build/bin/fastconvmae bench step --recipe "$recipe" --implementation fast --steps 3 --profile "$@"
