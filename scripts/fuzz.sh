#!/usr/bin/env bash
# Fuzzes the readers of checkpoints and data with libFuzzer, ASan and UBSan:
#   scripts/fuzz.sh [SECONDS=60] [TARGET...]     targets: zip pickle safetensors manifest tar idx cifar packed image bmp tiff recipe masks results coco
# Programs and corpora are kept in build/fuzz. Exit status 1: a target found a fault; its input is in build/fuzz.
# Exit status 2: clang or its run-time library is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
shift || true
targets=("$@")
((${#targets[@]})) || targets=(zip pickle safetensors manifest tar idx cifar packed image bmp tiff recipe masks results coco)

out=build/fuzz
mkdir -p "$out"
compiler=$(command -v clang++-14 || command -v clang++ || true)
flags=(-std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I.)
if [[ -z "$compiler" ]] || ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
  "$compiler" "${flags[@]}" -x c++ - -o "$out/probe" 2>/dev/null; then
  echo "fuzz: clang with libFuzzer is missing: apt-get install clang-14 libclang-rt-14-dev" >&2
  exit 2
fi

# The seed corpus: stored files if present, the pickles inside them, recipes of this tree, and small files that are written here.
seed() {
  local target="$1" corpus="$2" shared=../shared/fixtures data=../shared/data file
  case "$target" in
    zip) for file in "$shared"/checkpoints/{views,mini_model_only}.pth; do
        [[ -f "$file" ]] && cp "$file" "$corpus/$(basename "$file")"; done ;;
    pickle) for file in "$shared"/checkpoints/{views,mixed_dtype,mini_torch18_cuda}.pth; do  # data.pkl is at byte 64
        [[ -f "$file" ]] && head -c 60064 "$file" | tail -c +65 > "$corpus/$(basename "$file").pkl"; done ;;
    safetensors) for file in "$shared"/checkpoints/views.expected.safetensors "$shared"/linprobe_tiny.golden.safetensors; do
        [[ -f "$file" ]] && cp "$file" "$corpus/$(basename "$file")"; done ;;
    manifest) printf '{"format":"fastconvmae checkpoint","version":1,"step":1,"sequence":1,"files":{"%s":%s,"%s":%s},"state":{"a":[1,0.5]}}' \
        model.safetensors '{"size":8,"xxh3_128":"0"}' optimizer.safetensors '{"size":8,"xxh3_128":"0"}' > "$corpus/small.json" ;;
    tar) for file in "$data"/broken/tars/*.tar; do
        [[ -f "$file" ]] && head -c 65536 "$file" > "$corpus/$(basename "$file")"; done ;;
    image) for file in "$data"/broken/images/* "$data"/imagenet-sample/train/n01871265/*; do
        [[ -f "$file" ]] && { printf '\x20\x30\x80\x90'; head -c 65000 "$file"; } > "$corpus/$(basename "$file")"; done ;;
    bmp)  # 2x2 pixels: with 24 bits; with 8 bits, a palette of two colours and run-length encoding
      printf '\0\0\0\0\0\0\0\0\66\0\0\0\50\0\0\0\2\0\0\0\2\0\0\0\1\0\30\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0abcdefghijklmnop' > "$corpus/plain"
      printf '\0\0\0\0\0\0\0\0\76\0\0\0\50\0\0\0\2\0\0\0\2\0\0\0\1\0\10\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0abcdefgh\2\1\0\0\0\2\1\0\0\1' > "$corpus/runs" ;;
    tiff)  # 2x1 grey pixels of 8 bits; tags: width, length, bits, compression, photometric, offset, rows per strip, bytes
      printf '\10\0\0\0\10\0\0\1\3\0\1\0\0\0\2\0\0\0\1\1\3\0\1\0\0\0\1\0\0\0\2\1\3\0\1\0\0\0\10\0\0\0\3\1\3\0\1\0\0\0\1\0\0\0\6\1\3\0\1\0\0\0\1\0\0\0\21\1\4\0\1\0\0\0\156\0\0\0\26\1\3\0\1\0\0\0\1\0\0\0\27\1\4\0\1\0\0\0\2\0\0\0\0\0\0\0ab' > "$corpus/grey" ;;
    recipe) sed -n '/kGood =/,/;$/{s/^    "\(.*\)\\n";*$/\1/p}' tests/config/example.h | sed 's/\\"/"/g' > "$corpus/good.toml"
      cp recipes/smoke/*.toml "$corpus" ;;
    cifar) head -c 6146 /dev/zero > "$corpus/two"; head -c 9222 /dev/zero > "$corpus/three" ;;
    idx)  # two images of 2x1 and their labels, plain and gzipped
      printf '\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\1abcd' > "$out/images"
      printf '\0\0\x08\x01\0\0\0\2\1\0' > "$out/labels"
      gzip -nkf "$out/images" "$out/labels"
      { printf '\0\x14\0'; cat "$out/images" "$out/labels"; } > "$corpus/plain"
      { printf "$(printf '\\x03\\x%02x\\0' "$(stat -c %s "$out/images.gz")")"; cat "$out"/{images,labels}.gz; } > "$corpus/gzipped" ;;
    masks)  # masks of 2 x 3 pixels: a run-length string of two runs, the counts 4 and 2, a triangle in fifths of a pixel
      printf '\2\3\x0042' > "$corpus/text"
      printf '\2\3\1\4\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0' > "$corpus/counts"
      printf '\2\3\3\0\0\0\0\17\0\0\0\17\0\12\0' > "$corpus/triangle" ;;
    results) printf '[{"image_id":1,"category_id":2,"score":0.5,"bbox":[1,2,3,4],"segmentation":{"size":[2,3],"counts":%s},"id":[{}]}]' \
        '"42"' > "$corpus/text.json"
      printf '[{"image_id":1,"category_id":2,"score":1,"segmentation":{"counts":[4,2],"size":[2,3]}}]' > "$corpus/counts.json" ;;
    coco)  # two images, a polygon and a crowd mask
      printf '{"images":[{"id":1,"height":8,"width":9,"file_name":"a.jpg"},{"id":2,"height":4,"width":5,"file_name":"b.jpg"}],%s%s%s%s' \
        '"categories":[{"id":7,"name":"x"}],"annotations":[{"id":1,"image_id":1,"category_id":7,"iscrowd":0,"area":4,' \
        '"bbox":[1,1,2,2],"segmentation":[[1,1,3.25,1,3,3]]},{"id":2,"image_id":2,"category_id":7,"iscrowd":1,"area":4,' \
        '"bbox":[1,1,2,2],"segmentation":{"size":[4,5],"counts":"44<"}},{"id":3,"image_id":2,"category_id":7,' \
        '"bbox":[0,0,1,1],"segmentation":{"size":[4,5],"counts":[4,4,12]}}]}' > "$corpus/small.json" ;;
    packed)  # an index: the kind and the total size of images, then one split, one class "ant", one image of 4 bytes named "n"
      printf '\1\4\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\3\0\0\0ant12345678\4\0\0\0\0\0\0\0\1\0\0\0n' > "$corpus/index" ;;
  esac
  return 0
}

# Only the readers are compiled, from source, because libFuzzer sees instrumented code only. Each program links what it needs from
# the resulting library.
sources=(fcm/base/{cgroup,characters,content,counted,failpoint,file,process,random,system_call,text,threads}.cpp
  fcm/checkpoint/manifest.cpp
  fcm/eval/coco_results.cpp
  fcm/config/*.cpp
  fcm/formats/*.cpp
  fcm/image/{bmp,colour,decode,jpeg,mask_overlap,mask_target,mask_window,orientation,png,polygon_clip,polygon_raster,run_lengths,tiff,webp}.cpp
  fcm/loader/{dataset,instances,remarks}.cpp
  fcm/loader/sources/{checksum,cifar,class_names,coco_file,coco_shapes,coco_tables,encoded,files_beside,gzip,idx,json_reader,labels,list_line,packed_file,packed_layout,random_access_file}.cpp
  fcm/loader/sources/{raw_images,tar_header,tar_samples,tar_walk}.cpp)
cache=$(command -v ccache || true)
echo "fuzz: compiling ${#sources[@]} files"
printf '%s\n' "${sources[@]}" "${targets[@]/%/_fuzz.cpp}" | sed 's|^[a-z]*_fuzz|tests/fuzz/&|' |
  xargs -P "$(nproc)" -I{} sh -c "$cache $compiler ${flags[*]} -c {} -o $out/\$(basename {} .cpp).o"
objects=()
for source in "${sources[@]}"; do objects+=("$out/$(basename "$source" .cpp).o"); done
rm -f "$out/libreaders.a"
ar rcs "$out/libreaders.a" "${objects[@]}"

status=0
for target in "${targets[@]}"; do
  corpus="$out/corpus-$target"
  mkdir -p "$corpus"
  seed "$target" "$corpus"
  "$compiler" "${flags[@]}" "$out/${target}_fuzz.o" "$out/libreaders.a" -lfmt -ldeflate -ljpeg -lpng -ltiff -lwebpdemux -lwebp -lz -lpthread -o "$out/$target"
  log="$out/$target.log"
  if "$out/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$out/$target-" "$corpus" > "$log" 2>&1; then
    echo "fuzz: $target: $(grep -o 'number_of_executed_units: [0-9]*' "$log" | grep -o '[0-9]*$') executions, no fault found"
  else
    echo "fuzz: $target: found a fault, see $log" >&2
    tail -n 30 "$log" >&2
    status=1
  fi
done
exit "$status"
