#!/usr/bin/env bash
# Compares the plain decoder with the cross decoder (results/cross.md):  scripts/cross.sh DATA OUT
# DATA: fashion-mnist, or a data set in three colours that finetune_demo takes with the changes below (CIFAR-10). For each decoder and
# number of views: the training rate, then for each seed a run of equal time and one of equal images, with probe, kNN and fine-tuning
# of each. One line per figure in OUT/figures.tsv; figures that are there already are not measured again.
#   SECONDS_EACH=60 IMAGES=96000 SEEDS="0 1 2" DECODERS="plain 1 0.5 0.25" READS=mix VIEWS="all 1" MEASURES="probe knn finetune"
#   TUNE_EPOCHS=1, of fine-tuning
# On an idle machine: a run's length in seconds comes from the rates.
set -euo pipefail
cd "$(dirname "$0")/.."
if (($# != 2)); then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=$1 out=$2
seconds=${SECONDS_EACH:-60} images=${IMAGES:-96000} seeds=${SEEDS:-0 1 2} decoders=${DECODERS:-plain 1 0.5 0.25}
reads=${READS:-mix} views=${VIEWS:-all 1} measures=${MEASURES:-probe knn finetune} tune_epochs=${TUNE_EPOCHS:-1}
program=build/bin/fastconvmae
figures=$out/figures.tsv
mkdir -p "$out"
touch "$figures"

colours=()
if [[ $data != fashion-mnist ]]; then
  colours=(--set data.channels=3 --set data.pad=0 --set "data.mean=[0.491,0.482,0.447]" --set "data.deviation=[0.247,0.243,0.262]"
    --set "data.crop_scale=[0.5,1]" --set "data.crop_ratio=[0.75,1.3333]")
fi

decoder_of() {  # DECODER: its keys
  if [[ $1 == plain ]]; then return; fi
  echo "--set decoder.kind=cross --set decoder.share=$1 --set decoder.reads=$reads"
}
figure() { awk -F'\t' -v key="$1" '$1 == key {print $2; exit}' "$figures"; }
note() { printf '%s\t%s\n' "$1" "$2" | tee -a "$figures"; }
number() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# Rates of all, in turn, three times: the median.
rate_key() { echo "rate decoder=$1 views=$2"; }
measure_rates() {
  local decoder view
  for _ in 1 2 3; do
    for view in $views; do
      for decoder in $decoders; do
        [[ -z $(figure "$(rate_key "$decoder" "$view")") ]] || continue
        # shellcheck disable=SC2046  # words of a command line
        "$program" bench step --recipe demo --batch 32 --precision fp32 --implementation fast --steps 100 --json \
          --set masks.views="$view" $(decoder_of "$decoder") "${colours[@]}" | number fast_images_per_second >> "$out/rates.$decoder.$view"
      done
    done
  done
  for view in $views; do
    for decoder in $decoders; do
      [[ -z $(figure "$(rate_key "$decoder" "$view")") ]] || continue
      note "$(rate_key "$decoder" "$view")" "$(sort -n "$out/rates.$decoder.$view" | sed -n 2p)"
    done
  done
}

# A run of so many images, measured.
run() {  # WHAT DECODER VIEWS SEED IMAGES
  local name="$1 decoder=$2 views=$3 seed=$4" folder="$out/$1-$2-$3-$4" measure key
  for measure in $measures; do
    key="$measure $name"
    [[ -z $(figure "$key") ]] || continue
    # A run that is finished already ends at once.
    # shellcheck disable=SC2046
    "$program" pretrain --recipe demo --data "$data" --out "$folder" --seed "$4" --set masks.views="$3" $(decoder_of "$2") \
      "${colours[@]}" --set optim.epochs="$(python3 -c "import sys; print(int(sys.argv[1]) / int(sys.argv[2]))" "$5" "$(images_of_data)")" \
      --set run.knn_every_epochs=0 --set run.probe_every_epochs=0 --set run.pictures_every_steps=0 --quiet > /dev/null
    case $measure in
      probe) note "$key" "$("$program" linprobe --fast --data "$data" --checkpoint "$folder" --quiet --json | number top1)" ;;
      knn) note "$key" "$("$program" knn --data "$data" --checkpoint "$folder" --quiet --json | number top1)" ;;
      finetune)
        note "$key" "$("$program" finetune --recipe finetune_demo --data "$data" --checkpoint "$folder" --out "$folder-tuned" \
          --seed "$4" --set optim.epochs="$tune_epochs" "${colours[@]}" --quiet --json | number top1)"
        ;;
    esac
  done
}
images_of_data() {
  local key="images of $data"
  [[ -n $(figure "$key") ]] || note "$key" "$("$program" pretrain --recipe demo --data "$data" --out "$out/none" "${colours[@]}" --dry-run --json | number images)" >&2
  figure "$key"
}

measure_rates
for seed in $seeds; do
  for view in $views; do
    for decoder in $decoders; do
      run images "$decoder" "$view" "$seed" "$images"
      rate=$(figure "$(rate_key "$decoder" "$view")")
      run seconds "$decoder" "$view" "$seed" "$(python3 -c "import sys; print(round(float(sys.argv[1]) * float(sys.argv[2])))" "$rate" "$seconds")"
    done
  done
done
