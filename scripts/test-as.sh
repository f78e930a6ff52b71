#!/usr/bin/env bash
# The fast tests held to a class of processor, because a green run on one class says nothing of the others:
#   scripts/test-as.sh [CLASS|all] [CTEST ARGUMENTS...]      (all; for example: scripts/test-as.sh avx2 -R ops)
# Classes: plain, avx2, avx512 (without products of bfloat16, without AMX), avx512-bf16 (without AMX), native (as the machine is).
# all: each that this machine can run. Held are our kernels (FASTCONVMAE_ISA), LibTorch's (ATEN_CPU_CAPABILITY) and those of
# the libraries of products below it: oneDNN, MKL, OpenBLAS. Runs what build/ holds (scripts/build.sh).
# Exit status 1: a test failed; 2: this machine lacks the class.
set -euo pipefail
cd "$(dirname "$0")/.."

classes=(plain avx2 avx512 avx512-bf16 native)
declare -A needs=([plain]="" [avx2]="avx2 fma" [avx512]="avx512f avx512bw avx512vl avx512dq" [native]="")
needs[avx512-bf16]="${needs[avx512]} avx512_bf16"
#                       ours        LibTorch oneDNN           MKL    OpenBLAS
declare -A settings=(
  [plain]="plain        default SSE41            SSE4_2 Nehalem"
  [avx2]="avx2          avx2    AVX2             AVX2   Haswell"
  [avx512]="avx512      avx512  AVX512_CORE      AVX512 SkylakeX"
  [avx512-bf16]="avx512-bf16 avx512 AVX512_CORE_BF16 AVX512 Cooperlake"
)
names=(FASTCONVMAE_ISA ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA MKL_ENABLE_INSTRUCTIONS OPENBLAS_CORETYPE)

flags=" $(sed -n 's/^flags\s*: //p;T;q' /proc/cpuinfo) "
lacking() {  # CLASS: the flags it needs that this processor has not
  local flag
  for flag in ${needs[$1]}; do [[ "$flags" == *" $flag "* ]] || printf '%s ' "$flag"; done
}

# Holds this shell and what it starts.
hold_to() {
  unset "${names[@]}"
  local values i
  read -ra values <<< "${settings[$1]:-}"
  for i in "${!values[@]}"; do export "${names[$i]}=${values[$i]}"; done
}

chosen="${1:-all}"
(($#)) && shift
if [[ "$chosen" == all ]]; then
  chosen=()
  for class in "${classes[@]}"; do [[ -n "$(lacking "$class")" ]] || chosen+=("$class"); done
elif [[ -z "${needs[$chosen]+known}" ]]; then
  echo "test-as: \"$chosen\" is no class of processor; take one of: ${classes[*]}, or all" >&2
  exit 2
elif missing=$(lacking "$chosen"); [[ -n "$missing" ]]; then
  echo "test-as: this machine cannot stand for $chosen: its processor has no ${missing% }" >&2
  exit 2
fi

failed=()
for class in "${chosen[@]}"; do
  hold_to "$class"
  echo "test-as: $class"
  ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" -LE slow "$@" || failed+=("$class")
done
((!${#failed[@]})) || { echo "test-as: failed as ${failed[*]}" >&2; exit 1; }
echo "test-as: passed as ${chosen[*]}"
