#!/usr/bin/env bash
# Compiles and links the CUDA code on any machine with a toolkit, GPU or not, beside what build/ holds: only the CUDA files are
# compiled, everything else is linked from there. Then, without a GPU, the linked program says what it is and trains a little on
# the processor, --device cuda is refused for its reason, tests pass, and so does the bundle. Exit status 0 without a toolkit: nothing
# was checked.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/with-cuda.sh
if ! have_nvcc; then
  echo "check-cuda: no CUDA toolkit (nvcc) on this machine: the CUDA code was NOT checked"
  exit 0
fi
configure_with_cuda
program=build/bin/fastconvmae$cuda_suffix tests=build/bin/test_ops$cuda_suffix
ninja -C build "${program##*/}" "${tests##*/}"

complain() { echo "check-cuda: $*" >&2; exit 1; }
facts=$("$program" --version --json)
echo "$facts"
grep -q '"built": *true' <<< "$facts" || complain "the program does not know its CUDA code"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pretrain=("$program" pretrain --recipe smoke_pretrain --data synthetic --quiet)
"${pretrain[@]}" --out "$work/cpu" --device cpu
if grep -q '"devices": *\[\]' <<< "$facts"; then
  status=0
  said=$("${pretrain[@]}" --out "$work/cuda" --device cuda 2>&1) || status=$?
  echo "$said"
  [[ $status == 6 ]] || complain "--device cuda without a GPU ended with status $status, not 6"
  ! grep -q 'without CUDA' <<< "$said" || complain "--device cuda was refused for a wrong reason"
  if FASTCONVMAE_REQUIRE_CUDA=1 "$tests" --gtest_brief=1 --gtest_filter='*GpuCasesTest.TwoRuns*/gelu_*' >/dev/null; then
    complain "tests passed that need a GPU, which FASTCONVMAE_REQUIRE_CUDA=1 demands and nobody has"
  fi
fi
"$tests" --gtest_brief=1 --gtest_filter='*OpCasesTest.Float32*:*GpuCasesTest.Float32*'

# The bundle runs from another place, with nothing around it but the torch package.
bash scripts/bundle.sh "$work/bundle"
mv "$work/bundle" "$work/elsewhere"
env -i PATH=/usr/bin:/bin FASTCONVMAE_TORCH="$torch_root/torch" "$work/elsewhere/bin/fastconvmae" pretrain \
  --recipe smoke_pretrain --data synthetic --quiet --out "$work/bundled" --device cpu
echo "check-cuda: compiled, linked, bundled, and runs on the processor"
