# Source this from the root of the tree. It defines two functions:
# have_nvcc: whether a CUDA toolkit is installed.
# configure_with_cuda: prepares build/ to link programs with CUDA, however build/ was configured before. Sets torch_root, and
# cuda_suffix, the suffix of the names of these programs ("" if build/ was configured with CUDA).
have_nvcc() { command -v nvcc "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" >/dev/null; }

configure_with_cuda() {
  FASTCONVMAE_CUDA=1 bash scripts/setup.sh
  torch_root=$(cat "${FASTCONVMAE_CACHE:-$HOME/.cache/fastconvmae}/libtorch-path")
  cuda_suffix=""
  if ! grep -qs 'FASTCONVMAE_CUDA:STRING=ON' build/CMakeCache.txt; then
    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIBTORCH_ROOT="$torch_root" -DFASTCONVMAE_CUDA=CHECK
    cuda_suffix=_cuda
  fi
}
