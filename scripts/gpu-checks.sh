#!/usr/bin/env bash
# Runs the checks that need a GPU, from a bundle (scripts/bundle.sh) or from a tree built with CUDA. Expected to take about ten
# minutes on an H200:
#   gpu-checks.sh OUT [--fixtures DIR] [--data DATA]
# Writes one file per check to OUT, and a line with its exit status to OUT/summary.txt. Without --fixtures parity is skipped,
# without --data the loss curves. Exit status 1: a check failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [[ -d "$here/libexec" ]]; then bin="$here/bin"; else bin="$here/../build/bin"; fi
out="${1:?usage: gpu-checks.sh OUT [--fixtures DIR] [--data DATA]}"
shift
fixtures="" data=""
while (($#)); do
  case "$1" in
    --fixtures) fixtures="$2"; shift 2 ;;
    --data) data="$2"; shift 2 ;;
    *) echo "gpu-checks: unknown argument $1" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
: > "$out/summary.txt"
export FASTCONVMAE_REQUIRE_CUDA=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
failed=0

# check NAME SECONDS COMMAND...: runs COMMAND, writes its output to OUT/NAME.txt and a line to the summary.
check() {
  local name="$1" limit="$2" status=0 start=$SECONDS
  shift 2
  { printf '%q ' "$@"; echo; } > "$out/$name.txt"
  timeout "$limit" "$@" >> "$out/$name.txt" 2>&1 || status=$?
  echo "$name: exit status $status, $((SECONDS - start)) s" | tee -a "$out/summary.txt"
  ((status == 0)) || failed=1
}

recipe=fastconvmae_base_in1k_50ep
step=("$bin/fastconvmae" bench step --recipe "$recipe" --device cuda --json --quiet)
check version 60 "$bin/fastconvmae" --version --json
check operators 120 "$bin/test_ops" --gtest_filter='*Gpu*-GpuSpeed*' --gtest_brief=1
check beside_libtorch 180 "$bin/test_ops" --gtest_filter='GpuSpeed*' --gtest_brief=1
check training 120 "$bin/test_train" --gtest_filter='Gpu*' --gtest_brief=1
check step_bf16 120 "${step[@]}" --precision bf16 --batch 256 --steps 20 --implementation fast
check step_bf16_eager 120 "${step[@]}" --precision bf16 --batch 256 --steps 20 --implementation fast --no-cuda-graph
check step_against_reference 120 "${step[@]}" --precision bf16 --batch 64 --steps 10 --implementation both
check step_fp32 90 "${step[@]}" --precision fp32 --batch 64 --steps 5 --implementation fast
check step_profile 90 "${step[@]}" --precision bf16 --batch 256 --steps 5 --implementation fast --profile
check operators_speed 240 "$bin/fastconvmae" bench ops --device cuda --json --quiet
if [[ -n "$fixtures" ]]; then
  check parity 240 "$bin/parity" --device cuda --fixtures "$fixtures" --filter '[fast'
fi

# A run that is stopped and resumed is bit-identical to an uninterrupted one.
run() { "$bin/fastconvmae" pretrain --recipe smoke_pretrain --data synthetic --device cuda --quiet "$@"; }
resume_is_the_same() {
  run --out "$out/whole" --set run.max_steps=20 && run --out "$out/pieces" --set run.max_steps=10 &&
    run --out "$out/pieces" --set run.max_steps=20 &&
    "$bin/fastconvmae" checkpoint diff "$out/whole" "$out/pieces" --json | tee /dev/stderr | grep -q '"equal": *true'
}
export -f run resume_is_the_same
export bin out
check resume 120 bash -c resume_is_the_same

check classifier_step 120 "$bin/fastconvmae" bench step --recipe finetune_convvit_base_in1k_100ep --device cuda --json --quiet \
  --precision bf16 --batch 128 --steps 10 --implementation both
check finetune 120 "$bin/fastconvmae" finetune --recipe smoke_finetune --data synthetic --from-scratch --device cuda --quiet --out "$out/tuned"
check eval 60 "$bin/fastconvmae" eval --checkpoint "$out/tuned" --data synthetic --device cuda --quiet
check latency 60 "$bin/fastconvmae" eval --checkpoint "$out/tuned" --latency --device cuda --json --quiet
check linprobe 120 "$bin/fastconvmae" linprobe --recipe smoke_linprobe --checkpoint "$out/tuned" --data synthetic --device cuda --quiet --out "$out/probe"

# Two processes, each of which selects its matrix-product algorithms by timing, give the same bits.
base() {
  "$bin/fastconvmae" pretrain --recipe "$recipe" --data synthetic --device cuda --quiet --set model.precision=bf16 \
    --set optim.batch_size=32 --set run.max_steps=3 "$@"
}
two_processes_are_the_same() {
  base --out "$out/once" && base --out "$out/twice" &&
    "$bin/fastconvmae" checkpoint diff "$out/once" "$out/twice" --json | tee /dev/stderr | grep -q '"equal": *true'
}
export -f base two_processes_are_the_same
export recipe
check two_processes 180 bash -c two_processes_are_the_same

# Three runs of 300 steps, to see whether the bf16 loss stays within the spread of two fp32 seeds. Only the runs are recorded: their
# losses have to be compared by hand.
if [[ -n "$data" ]]; then
  for run_of in fp32:0 fp32:1 bf16:0; do
    check "curve_${run_of/:/_}" 300 "$bin/fastconvmae" pretrain --recipe "$recipe" --data "$data" --device cuda --quiet \
      --out "$out/curve_${run_of/:/_}" --set run.max_steps=300 --set optim.batch_size=64 \
      --set model.precision="${run_of%:*}" --seed "${run_of#*:}"
  done
fi
exit "$failed"
