#!/usr/bin/env bash
# First half of the set-up: Debian packages and LibTorch. Does nothing where both are there.
# Exit status 2: something is missing and cannot be installed from here (the line to run is printed).
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}"
lock=cmake/torch-cpu.lock
torch_root="$cache/libtorch-$(sha256sum "$lock" | cut -c1-12)"

missing=()
while read -r package _; do
  [[ -z "$package" || "$package" == \#* ]] && continue
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < scripts/packages.txt

if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]]; then sudo=(); elif command -v sudo >/dev/null; then sudo=(sudo); else
    echo "These Debian packages are missing and neither root nor sudo is at hand. As root, run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 2
  fi
  echo "setup: installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The wheel is unpacked beside its final place and renamed, so that an interrupted download leaves nothing half-made.
if [[ ! -f "$torch_root/torch/lib/libtorch_cpu.so" ]]; then
  echo "setup: fetching LibTorch (the pinned torch wheel, 544 MB) into $torch_root"
  mkdir -p "$cache"
  unpacked=$(mktemp -d "$cache/unpacking.XXXXXX")
  trap 'rm -rf "$unpacked"' EXIT
  /usr/bin/python3 -m pip install --quiet --no-compile --no-deps --require-hashes --only-binary=:all: \
    --root-user-action=ignore --disable-pip-version-check \
    --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux2014_x86_64 --target "$unpacked" -r "$lock"
  chmod 755 "$unpacked"
  mv -T "$unpacked" "$torch_root"
  trap - EXIT
fi
echo "$torch_root" > "$cache/libtorch-path"
