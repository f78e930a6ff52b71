#!/usr/bin/env bash
# Compiles and links the CUDA code on any machine with a CUDA toolkit, with or without a GPU. Only the CUDA files are compiled; all
# other objects come from build/. Then checks the linked program: --version reports CUDA, a short training runs on the CPU, on a
# machine without a GPU --device cuda is refused for the right reason, a few tests of operators pass, and the bundle runs. Without a
# toolkit nothing is checked, and the exit status is 0.
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
grep -q '"built": *true' <<< "$facts" || complain "--version --json does not report CUDA code (\"built\": true)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pretrain=("$program" pretrain --recipe smoke_pretrain --data synthetic --quiet)
"${pretrain[@]}" --out "$work/cpu" --device cpu
if grep -q '"devices": *\[\]' <<< "$facts"; then
  status=0
  said=$("${pretrain[@]}" --out "$work/cuda" --device cuda 2>&1) || status=$?
  echo "$said"
  [[ $status == 6 ]] || complain "--device cuda without a GPU ended with status $status, not 6"
  ! grep -q 'without CUDA' <<< "$said" || complain "--device cuda was refused as a build without CUDA, but this build has CUDA"
  if FASTCONVMAE_REQUIRE_CUDA=1 "$tests" --gtest_brief=1 --gtest_filter='*GpuCasesTest.TwoRuns*/gelu_*' >/dev/null; then
    complain "tests that need a GPU passed without one, although FASTCONVMAE_REQUIRE_CUDA=1 forbids skipping"
  fi
fi
"$tests" --gtest_brief=1 --gtest_filter='*OpCasesTest.Float32*:*GpuCasesTest.Float32*'

# The bundle runs from another folder, with the torch package and nothing else.
bash scripts/bundle.sh "$work/bundle"
mv "$work/bundle" "$work/elsewhere"
env -i PATH=/usr/bin:/bin FASTCONVMAE_TORCH="$torch_root/torch" "$work/elsewhere/bin/fastconvmae" pretrain \
  --recipe smoke_pretrain --data synthetic --quiet --out "$work/bundled" --device cpu
echo "check-cuda: CUDA code compiled, linked and bundled; the program runs on the CPU"
