#!/usr/bin/env bash
# Runs the fast and the long tests limited to a CPU class, because passing on one class says nothing about the others:
#   scripts/test-as.sh [CLASS|all] [CTEST ARGUMENTS...]      (default: all; for example: scripts/test-as.sh avx2 -R ops)
# Classes: plain, avx2, avx512 (without bfloat16 products, without AMX), avx512-bf16 (without AMX), native (no limit).
# all: every class that this machine can run. The limit applies to our kernels (FASTCONVMAE_ISA), LibTorch's (ATEN_CPU_CAPABILITY)
# and those of its matrix libraries oneDNN, MKL and OpenBLAS. Uses the tests in build/ (scripts/build.sh).
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
lacking() {  # CLASS: the flags it needs that this CPU lacks
  local flag
  for flag in ${needs[$1]}; do [[ "$flags" == *" $flag "* ]] || printf '%s ' "$flag"; done
}

# Limits this shell and its child processes to a class.
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
  echo "test-as: \"$chosen\" is not a CPU class; take one of: ${classes[*]}, or all" >&2
  exit 2
elif missing=$(lacking "$chosen"); [[ -n "$missing" ]]; then
  echo "test-as: this machine cannot run $chosen: its CPU lacks ${missing% }" >&2
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
