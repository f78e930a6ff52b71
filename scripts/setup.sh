#!/usr/bin/env bash
# Installs Debian packages and fetches LibTorch. Does nothing if both are present.
# With FASTCONVMAE_CUDA=1 it also fetches the CUDA libraries that LibTorch's CUDA part needs.
# Exit status 2: packages are missing and cannot be installed without root (the command to run is printed).
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}"
lock=cmake/torch-cpu.lock
torch_root="$cache/libtorch-$(sha256sum "$lock" | cut -c1-12)"

ubuntu=0
if grep -qsx 'ID=ubuntu' /etc/os-release; then ubuntu=1; fi
missing=()
while read -r package _; do
  [[ -z "$package" || "$package" == \#* ]] && continue
  if ((ubuntu)); then package=${package##*|}; else package=${package%%|*}; fi
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < scripts/packages.txt

if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]]; then sudo=(); elif command -v sudo >/dev/null; then sudo=(sudo); else
    echo "Debian packages are missing, and this user has neither root nor sudo. As root, run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 2
  fi
  echo "setup: installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Wheels are unpacked in a temporary folder and renamed, so an interrupted download leaves no partial installation.
fetch() {  # LOCK: unpacks its wheels into $unpacked
  mkdir -p "$cache"
  unpacked=$(mktemp -d "$cache/unpacking.XXXXXX")
  trap 'rm -rf "$unpacked"' EXIT
  local tags=(2_28 2_27 2_25 2_18)
  tags=("${tags[@]/#/--platform=manylinux_}")
  /usr/bin/python3 -m pip install --quiet --no-compile --no-deps --require-hashes --only-binary=:all: \
    --root-user-action=ignore --disable-pip-version-check --python-version 3.11 \
    "${tags[@]/%/_x86_64}" --platform=manylinux2014_x86_64 --target "$unpacked" -r "$1"
  chmod 755 "$unpacked"
}
if [[ ! -f "$torch_root/torch/lib/libtorch_cpu.so" ]]; then
  echo "setup: fetching LibTorch (the pinned torch wheel, 544 MB) into $torch_root"
  fetch "$lock"
  mv -T "$unpacked" "$torch_root"
  trap - EXIT
fi

# The CUDA libraries go where the torch wheel searches for them, beside the libraries that it always needs. The marker folder is
# made last and means that all are present.
cuda_lock=cmake/torch-cuda.lock
cuda_done="$torch_root/cuda-$(sha256sum "$cuda_lock" | cut -c1-12)"
if [[ "${FASTCONVMAE_CUDA:-0}" == 1 && ! -e "$cuda_done" ]]; then
  echo "setup: fetching the CUDA libraries (1.9 GB, 3 GB unpacked) into $torch_root"
  fetch "$cuda_lock"
  cp -al --remove-destination "$unpacked/nvidia/." "$torch_root/nvidia/"
  mkdir "$cuda_done"
  rm -rf "$unpacked"
  trap - EXIT
fi
echo "$torch_root" > "$cache/libtorch-path"
