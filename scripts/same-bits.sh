#!/usr/bin/env bash
# Checks that two builds of the program train to bit-identical results:  scripts/same-bits.sh OLD NEW
# Runs smoke recipes of pretraining, fine-tuning and the linear probe, and a short demo, with both programs. Compares logs (without
# timings and memory), weights and moments. Both programs must run on this machine, because another CPU sums in another order. Takes
# three minutes.
# Exit status 1: something differs; the printed folder then holds both runs.
set -euo pipefail
old=$(realpath "${1:?usage: same-bits.sh OLD NEW}") new=$(realpath "${2:?usage: same-bits.sh OLD NEW}")
work=$(mktemp -d)

# Runs commands that both versions have to support; their runs are in the folder $2.
train() {
  local program="$1" out="$2"
  mkdir -p "$out"
  run() { "$program" "$@" --threads 2 --quiet >> "$out/said.txt" 2>&1; }
  run pretrain --recipe smoke_pretrain --data synthetic --out "$out/conv"
  run pretrain --recipe smoke_pretrain --data synthetic --out "$out/one_view" --set masks.views=1 --set run.save_every_steps=3
  run pretrain --recipe smoke_pretrain --data synthetic --out "$out/small_batches" --set optim.micro_batch=3 --set run.log_every_steps=1
  run pretrain --recipe smoke_mae_pretrain --data synthetic --out "$out/vit"
  run pretrain --recipe demo_ema --data fashion-mnist --out "$out/average" --set run.max_steps=12 --set run.log_every_steps=1 \
    --set optim.batch_size=64
  run finetune --recipe smoke_finetune --data synthetic --checkpoint "$out/conv" --out "$out/tuned"
  run finetune --recipe smoke_finetune --data synthetic --from-scratch --out "$out/scratch" --set classifier.ema_decay=0.9
  run linprobe --recipe smoke_linprobe --data synthetic --checkpoint "$out/conv" --out "$out/probe"
  run pretrain --recipe smoke_pretrain --data synthetic --out "$out/pieces" --set run.max_steps=3
  run pretrain --recipe smoke_pretrain --data synthetic --out "$out/pieces"
  run demo --images 3000 --out "$out/demo"
}
numbers_of() {  # LOG: its lines without the keys that vary between launches
  sed -E 's/"(images_per_second|train_seconds|data_wait|utilisation|memory_bytes|eta_seconds|test_seconds|n_parameters)":[^,}]*,?//g; s/,\}/}/g' "$1"
}

train "$old" "$work/old"
train "$new" "$work/new"
status=0
for log in "$work"/old/*/log.jsonl; do
  name=$(basename "$(dirname "$log")")
  if ! cmp -s <(numbers_of "$log") <(numbers_of "$work/new/$name/log.jsonl"); then
    echo "same-bits: $name: the logs differ"
    status=1
  fi
  for file in "$work/old/$name"/checkpoints/step-*/*.safetensors; do
    other="$work/new/${file#"$work"/old/}"
    cmp -s "$file" "$other" || { echo "same-bits: $name: ${file##*/checkpoints/} differs"; status=1; }
  done
done
if ((status)); then echo "same-bits: see $work" >&2; exit 1; fi
echo "same-bits: $(ls -d "$work"/old/*/ | wc -l) runs, the same logs, weights and moments"
rm -rf "$work"
