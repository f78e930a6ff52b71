#!/usr/bin/env bash
# Compares what pretraining systems learn:  scripts/compare.sh cross|swin DATA OUT
# cross: the plain decoder and the cross decoder (results/cross.md); swin: SimMIM, GreenMIM, Fast GreenMIM and Fast ConvMAE
# (results/swin.md). DATA: fashion-mnist, or for cross also RGB images (CIFAR-10). Measures the training rate of each system. Then
# trains it, for each seed, for an equal time and on an equal number of images, and evaluates probe, kNN and fine-tuning. Appends a
# line per figure to OUT/figures.tsv; figures that are there already are not measured again. Variables and their defaults:
#   SECONDS_EACH=60 IMAGES=96000 SEEDS="0 1 2" THREADS=2 MEASURES="probe knn finetune" RUNS="images seconds"
#   SYSTEMS: names of systems, default all;  TUNE_EPOCHS=1: epochs of fine-tuning
# A tenth of a run is warm-up. Rates determine the length of runs of equal time, so nothing else should run while they are measured.
set -euo pipefail
cd "$(dirname "$0")/.."
if (($# != 3)) || [[ $1 != cross && $1 != swin ]]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
what=$1 data=$2 out=$3
seconds=${SECONDS_EACH:-60} images=${IMAGES:-96000} seeds=${SEEDS:-0 1 2} threads=${THREADS:-2}
measures=${MEASURES:-probe knn finetune} runs=${RUNS:-images seconds} tune_epochs=${TUNE_EPOCHS:-1}
program=build/bin/fastconvmae
figures=$out/figures.tsv
mkdir -p "$out"
touch "$figures"

# The recipe of each system, and the flags that change it.
declare -A recipe changes
order=()
system() {  # NAME RECIPE CHANGES...
  order+=("$1")
  recipe[$1]=$2
  changes[$1]=${*:3}
}
if [[ $what == swin ]]; then
  system simmim demo_simmim
  system greenmim demo_greenmim --set masks.views=1
  system fast-greenmim demo_greenmim --set masks.views=all
  system fast-convmae demo
else
  colours=()
  if [[ $data != fashion-mnist ]]; then
    colours=(--set data.channels=3 --set data.pad=0 --set "data.mean=[0.491,0.482,0.447]" --set "data.deviation=[0.247,0.243,0.262]"
      --set "data.crop_scale=[0.5,1]" --set "data.crop_ratio=[0.75,1.3333]")
  fi
  for views in all 1; do
    system "plain-$views" demo --set masks.views=$views "${colours[@]}"
    for share in 1 0.5 0.25; do
      system "cross-$share-$views" demo --set masks.views=$views --set decoder.kind=cross --set decoder.share=$share \
        --set decoder.reads=mix "${colours[@]}"
    done
  done
fi
systems=${SYSTEMS:-${order[*]}}

figure() { awk -F'\t' -v key="$1" '$1 == key {print $2; exit}' "$figures"; }
add_figure() { printf '%s\t%s\n' "$1" "$2" | tee -a "$figures"; }
number() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
images_per_second() { python3 -c 'import json,sys; print(json.load(sys.stdin)["implementations"]["fast"]["images_per_second"]["median"])'; }

# Measures the rate of each system five times, alternating, and notes the median.
measure_rates() {
  local name rates
  for name in $systems; do  # what an interrupted run left
    [[ -n $(figure "rate $name") ]] || rm -f "$out/rates.$name"
  done
  for _ in 1 2 3 4 5; do
    for name in $systems; do
      [[ -z $(figure "rate $name") ]] || continue
      # shellcheck disable=SC2086  # words of a command line
      "$program" bench step --recipe "${recipe[$name]}" --batch 32 --threads "$threads" --precision fp32 --implementation fast \
        --steps 60 --json --quiet ${changes[$name]} | images_per_second >> "$out/rates.$name"
    done
  done
  for name in $systems; do
    [[ -z $(figure "rate $name") ]] || continue
    rates=$(sort -n "$out/rates.$name")
    add_figure "rate $name" "$(sed -n 3p <<< "$rates")"
  done
}

# Trains a system on IMAGES images, evaluates it and notes the figures.
run() {  # KIND NAME SEED IMAGES
  local key measure folder="$out/$1-$2-$3" epochs warmup
  epochs=$(python3 -c "import sys; print(int(sys.argv[1]) / int(sys.argv[2]))" "$4" "$(images_of_data)")
  warmup=$(python3 -c "import sys; print(float(sys.argv[1]) / 10)" "$epochs")
  for measure in $measures; do
    key="$measure $1 $2 seed=$3"
    [[ -z $(figure "$key") ]] || continue
    # If the run is finished already, this command trains nothing.
    # shellcheck disable=SC2086
    "$program" pretrain --recipe "${recipe[$2]}" --data "$data" --out "$folder" --seed "$3" --threads "$threads" ${changes[$2]} \
      --set optim.epochs="$epochs" --set optim.warmup_epochs="$warmup" --set run.knn_every_epochs=0 --set run.probe_every_epochs=0 \
      --set run.pictures_every_steps=0 --quiet > /dev/null
    case $measure in
      probe) add_figure "$key" "$("$program" linprobe --fast --data "$data" --checkpoint "$folder" --threads "$threads" --quiet --json | number top1)" ;;
      knn) add_figure "$key" "$("$program" knn --data "$data" --checkpoint "$folder" --threads "$threads" --quiet --json | number top1)" ;;
      finetune)
        add_figure "$key" "$("$program" finetune --recipe finetune_demo --data "$data" --checkpoint "$folder" --out "$folder-tuned" \
          --seed "$3" --threads "$threads" --set optim.epochs="$tune_epochs" "${colours[@]}" --quiet --json | number top1)"
        ;;
    esac
  done
}
images_of_data() {
  local key="images of $data" first=${order[0]}
  # shellcheck disable=SC2086
  [[ -n $(figure "$key") ]] || add_figure "$key" "$("$program" pretrain --recipe "${recipe[$first]}" --data "$data" --out "$out/none" \
    ${changes[$first]} --dry-run --json | number images)" >&2
  figure "$key"
}

measure_rates
for seed in $seeds; do
  for name in $systems; do
    for kind in $runs; do
      if [[ $kind == images ]]; then
        run images "$name" "$seed" "$images"
      else
        run seconds "$name" "$seed" "$(python3 -c "import sys; print(round(float(sys.argv[1]) * float(sys.argv[2])))" "$(figure "rate $name")" "$seconds")"
      fi
    done
  done
done
