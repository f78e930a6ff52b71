#!/usr/bin/env bash
# Builds every package from build/ and uses each in a clean environment: the wheel in a virtual environment, the Debian package
# unpacked, the tarball unpacked (check-cuda.sh does that if nvcc is installed), and the installed library by building the examples
# and the README's example, with CMake and with pkg-config. Fetches nothing: torch is the one that scripts/setup.sh unpacked.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/with-cuda.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() { echo "check-packages: $*" >&2; exit 1; }
torch=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")/torch
mkdir "$work"/{home,bin}
for tool in basename dirname head readlink sed; do ln -s "$(command -v $tool)" "$work/bin/"; done
# A clean shell, without the packages of this machine's python3.
clean() { env -i PATH="$work/bin" HOME="$work/home" TMPDIR="$work" "$@"; }
refused() {  # WORDS COMMAND...: expects exit status 6 and a message that contains WORDS
  local words="$1" said status=0
  shift
  said=$("$@" 2>&1) || status=$?
  [[ $status == 6 && "$said" == *"$words"* ]] || complain "exit status $status, not 6 with \"$words\": $* said: $said"
}
has_licences() {  # FOLDER LIBRARY...: folder of licences
  local folder="$1" file
  shift
  for file in "$@" nlohmann-json3-dev common/GPL-2; do [[ -s "$folder/licences/$file" ]] || complain "no licence: $folder/licences/$file"; done
  grep -q "revision [0-9a-f]" "$folder/version" && grep -q "MIT License" "$folder/copyright" || complain "$folder: no revision or licence"
}

# The wheel: it needs no libraries but LibTorch's and its own. The command finds torch beside itself, in its own environment, on
# Python's paths and through FASTCONVMAE_TORCH, and refuses another version.
bash scripts/wheel.sh "$work/packages"
venv="$work/a venv"
/usr/bin/python3 -m venv --without-pip "$venv"
/usr/bin/python3 -m pip --python "$venv/bin/python3" install --quiet --no-index --no-deps --disable-pip-version-check "$work"/packages/*.whl
site=$(echo "$venv"/lib/python3*/site-packages)
has_licences "$(echo "$site"/fastconvmae-*.dist-info/licenses)" libjpeg62-turbo libtiff6 zlib1g
command="$venv/bin/fastconvmae"
refused "bin/python3' -m pip install 'torch==" clean "$command" --version
refused "FASTCONVMAE_TORCH: /nowhere holds no" clean FASTCONVMAE_TORCH=/nowhere "$command" --version
mkdir -p "$site/torch/lib"
touch "$site/torch/lib/libtorch_cpu.so"
echo "__version__ = '2.10.0'" > "$site/torch/version.py"
refused "$site/torch is torch 2.10.0" clean "$command" --version
refused "is torch 2.10.0" clean FASTCONVMAE_TORCH="$site/torch" "$command" --version
ln -s "$command" "$work/linked"
clean FASTCONVMAE_TORCH="$torch" "$work/linked" --version >/dev/null
rm -r "$site/torch"
dirname "$torch" > "$site/torch.pth"
clean "$command" --version >/dev/null
rm "$site/torch.pth"
ln -s "$torch" "$site/torch"
chmod -R a-w "$venv"
clean "$command" pretrain --recipe smoke_pretrain --data synthetic --quiet --out "$work/a run" >/dev/null
clean "$command" checkpoint convert "$work/a run" "$work/model.pth" --quiet >/dev/null
outside=$(clean LD_LIBRARY_PATH="$venv/lib/fastconvmae:$torch/lib" "$(command -v ldd)" "$venv/libexec/fastconvmae/fastconvmae" |
  sed -nE 's/^.* => (.*) \(0x.*$/\1/p' | grep -vE "^$venv/|^$(dirname "$torch")/|/lib(c|m|dl|rt|pthread|util|stdc\+\+|gcc_s)\.so" || true)
[[ -z "$outside" ]] || complain "the wheel depends on libraries outside of it: $outside"
chmod -R u+w "$venv"

# The Debian package.
bash scripts/deb.sh "$work/packages"
dpkg-deb -x "$work"/packages/*.deb "$work/deb"
grep -q 'libjpeg.*libtiff' <<< "$(dpkg-deb -f "$work"/packages/*.deb Depends)" || complain "the Debian package names no libraries"
has_licences "$work/deb/usr/share/doc/fastconvmae" libcli11-dev libprotozero-dev
refused "export FASTCONVMAE_TORCH=" clean "$work/deb/usr/bin/fastconvmae" --version
clean FASTCONVMAE_TORCH="$torch" "$work/deb/usr/bin/fastconvmae" recipe show smoke_pretrain >/dev/null

# The tarball.
if ! have_nvcc; then
  bash scripts/bundle.sh "$work/packages/bundle.tar.gz"
  tar -xzf "$work/packages/bundle.tar.gz" -C "$work"
  has_licences "$work/bundle/share/doc/fastconvmae" libtiff6
  clean FASTCONVMAE_TORCH="$torch" "$work/bundle/bin/fastconvmae" checkpoint verify "$work/a run" --quiet >/dev/null
fi

# The tree of `cmake --install`: the command, which finds the LibTorch of the build, and the library. The examples are built as
# separate projects, those that do not use LibTorch in an environment without it.
prefix="$work/an installed tree"
cmake --install build --prefix "$prefix" >/dev/null
clean "$prefix/bin/fastconvmae" --version >/dev/null
cp -r examples "$work/"
build_example() {  # NAME ENVIRONMENT...
  local name="$1"
  shift
  env "$@" cmake -S "$work/examples/$name" -B "$work/built/$name" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_FLAGS=-Wall\ -Werror >"$work/log" 2>&1 || { cat "$work/log" >&2; complain "example $name: configure"; }
  cmake --build "$work/built/$name" >"$work/log" 2>&1 || { cat "$work/log" >&2; complain "example $name: build"; }
}
needs_torch() { grep -qE 'lib(torch|c10)' <<< "$(ldd "$1")"; }
for name in state_dict resize batches; do
  build_example $name HOME="$work/home" FASTCONVMAE_CACHE="$work/home"
  ! needs_torch "$work/built/$name/$name" || complain "example $name needs LibTorch"
done
build_example encoder LIBTORCH_ROOT="$(dirname "$torch")"
needs_torch "$work/built/encoder/encoder" || complain "example encoder does not link LibTorch, so this check detects nothing"
# Folders without "torch" in fcm/edges.txt use no symbols of LibTorch.
of_torch() { grep -qE ' U (c10|at|torch)::' <<< "$(nm -C --undefined-only "$prefix/lib/libfcm_$1.a" 2>/dev/null)"; }
for folder in $(sed -nE '/^[a-z]+:/{/(^| )torch( |$)/!s/^([a-z]+):.*/\1/p}' fcm/edges.txt); do
  ! of_torch "$folder" || complain "libfcm_$folder.a uses symbols of LibTorch"
done
of_torch models || complain "libfcm_models.a uses no symbols of LibTorch, so this check detects nothing"

"$work/built/state_dict/state_dict" "$work/model.pth" "$work/model.safetensors" >/dev/null
said=$(clean "$command" checkpoint diff "$work/model.pth" "$work/model.safetensors" --quiet || true)  # only the .pth has moments
[[ "$said" =~ [1-9][0-9]*\ tensors\ compared,\ 0\ differ ]] || complain "the tensors read differ from those in the file: $said"
# A file that would run a command in Python.
/usr/bin/python3 - "$work" <<'END'
import os, pickle, sys, zipfile
class Command:
    def __reduce__(self):
        return os.system, (f"touch '{sys.argv[1]}/was-run'",)
with zipfile.ZipFile(f"{sys.argv[1]}/hostile.pth", "w") as file:
    file.writestr("archive/data.pkl", pickle.dumps({"weight": Command()}, protocol=2))
    file.writestr("archive/version", "3\n")
END
status=0
said=$("$work/built/state_dict/state_dict" "$work/hostile.pth" 2>&1) || status=$?
[[ $status == 4 && "$said" == *system* && ! -e "$work/was-run" ]] || complain "a malicious file: exit status $status, $said"

picture=$(find ../shared/data/imagenet-sample -name '*.JPEG' -print -quit 2>/dev/null || true)
"$work/built/resize/resize" "${picture:-docs/images/demo-reconstructions.png}" "$work/small.png"
[[ "$("$work/built/batches/batches" synthetic)" == "$("$work/built/batches/batches" synthetic)" ]] || complain "batches differ"
"$work/built/encoder/encoder" "$work/a run" "$work/small.png"

# The same with pkg-config, and the README's example.
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
for pair in state_dict:formats resize:image batches:loader; do
  flags=()
  eval "flags=($(pkg-config --cflags --libs "fastconvmae-${pair#*:}"))"  # pkg-config escapes blanks in paths
  g++ -std=c++20 "$work/examples/${pair%:*}/main.cpp" "${flags[@]}" -o "$work/${pair%:*}"
  ! needs_torch "$work/${pair%:*}" || complain "${pair%:*} needs LibTorch"
done
cp -r "$work/examples/encoder" "$work/examples/readme"
block=$(sed -n '/^## Read a Python state_dict/,/^## /{/^```cpp/,/^```$/{/^```/!p}}' README.md)
[[ -n "$block" ]] || complain "the README has no example of a state_dict"
{ echo '#include <map>'; grep '^#include' <<< "$block"; echo 'int main() {'; grep -v '^#include' <<< "$block"
  echo 'return weights.count("model.pos_embed") == 1 ? 0 : 1; }'; } > "$work/examples/readme/main.cpp"
build_example readme LIBTORCH_ROOT="$(dirname "$torch")"
(cd "$work" && "$work/built/readme/encoder") || complain "the README's example did not read the state_dict"
echo "check-packages: wheel, Debian package, $(have_nvcc || echo "tarball, ")library and examples do what docs/install.md says"
