#!/usr/bin/env bash
# Checks that onnxruntime computes the same outputs from exported ONNX files as the program does: every kind of model from small
# runs, and an encoder of the published size of each family. Run by hand: it needs Python and fetches onnx and onnxruntime into a
# virtual environment.
#
#   scripts/check-onnx.sh [--small]      --small: without the published sizes, which take 3 GB of disk
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/build/bin/fastconvmae
ninja -C build fastconvmae model_outputs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0

run() {  # NAME COMMAND RECIPE [FLAGS]: trains two steps
  local name=$1 command=$2 recipe=$3
  shift 3
  "$program" "$command" --recipe "$recipe" --data synthetic --out "$work/$name" --quiet --set run.max_steps=2 "$@" >/dev/null
}
check() {  # NAME WHAT [SIZE]
  local name=$1 what=$2 size=${3:-0}
  local file=$work/$name-$what-$size
  "$program" checkpoint convert "$work/$name" "$file.onnx" --what "$what" --size "$size" --quiet >/dev/null
  build/bin/model_outputs "$what" "$size" "$work/$name" "$file.safetensors"
  "$work/venv/bin/python" tests/interop/compare_onnx.py "$file.onnx" "$file.safetensors"
}

run convmae pretrain smoke_pretrain
run mae pretrain smoke_mae_pretrain --set 'encoder.strides=[16]' --set 'encoder.depths=[4]' --set 'data.image_size=[64,64]'
run simmim pretrain smoke_simmim
for name in convmae mae simmim; do
  run "$name-tuned" finetune smoke_finetune --checkpoint "$work/$name"
  check "$name" features
  check "$name" features 96
  check "$name-tuned" classes
  check "$name-tuned" classes 96
done
small=(--set optim.batch_size=2 --set optim.micro_batch=2)
run convmae-map finetune smoke_segment --checkpoint "$work/convmae" "${small[@]}"
run mae-map finetune smoke_segment --checkpoint "$work/mae" "${small[@]}" --set 'segmenter.taps=[0,1,2,3]'
for name in convmae mae; do
  check "$name-map" map
  check "$name-map" map 96
done
run convmae-coco finetune smoke_detect --checkpoint "$work/convmae" "${small[@]}"
run mae-coco finetune smoke_detect --checkpoint "$work/mae" "${small[@]}" --set detector.window=2
run simmim-coco finetune smoke_detect --checkpoint "$work/simmim" "${small[@]}" --set detector.window=0 \
  --set 'detector.global_blocks=[]'
for name in convmae mae simmim; do check "$name-coco" detections; done
[[ ${1:-} == --small ]] && exit 0

for recipe in fastconvmae_base_in1k_50ep mae_vit_base_in1k_1600ep simmim_swin_base_in1k_800ep; do
  run "$recipe" pretrain "$recipe" --set run.max_steps=1 --set optim.batch_size=2 --set run.knn_every_epochs=0
  check "$recipe" features
  rm -r "${work:?}/$recipe"
done
