#!/bin/sh
# Starts the program of the same name with LibTorch from the torch package: FASTCONVMAE_TORCH, or that of python3.
# Exit status 6: there is none, or one of another version.
here=$(dirname "$(dirname "$(readlink -f "$0")")")
name=$(basename "$0")
torch=${FASTCONVMAE_TORCH:-}
if [ -z "$torch" ]; then
  torch=$(python3 -c 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("torch").origin))' 2>/dev/null)
fi
if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
  echo "error: no LibTorch at \"$torch\": set FASTCONVMAE_TORCH to the folder of the torch 2.11 package" >&2
  exit 6
fi
version=$(sed -n "s/^__version__ = '\([^']*\)'.*/\1/p" "$torch/version.py" 2>/dev/null)
case $version in
  2.11.*) ;;
  *) echo "error: $torch is torch ${version:-of unknown version}; this program needs 2.11" >&2; exit 6 ;;
esac
# The wheel's own libraries find each other; what this program needs of CUDA itself lies beside the package.
LD_LIBRARY_PATH=$here/lib:$torch/lib:$torch/../nvidia/cu13/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/programs/$name" "$@"
