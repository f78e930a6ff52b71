# Finds LibTorch in an unpacked torch wheel: targets LibTorch::c10 and LibTorch::cpu, and LibTorch::cuda if the wheel has
# CUDA code and CUDA's runtime library is unpacked beside it (programs with CUDA code need all wheels of torch-cuda.lock).
# The wheel's own package configuration requires a CUDA toolkit, so it is not used.
#   LIBTORCH_ROOT   folder that contains torch/ and nvidia/. Default: the environment variable of that name, or else the
#                   folder that scripts/setup.sh made
set(LIBTORCH_ROOT "" CACHE PATH "folder of the unpacked torch wheel (holds torch/)")
if(NOT LIBTORCH_ROOT)
  set(_cache "$ENV{FASTCONVMAE_CACHE}")
  if(NOT _cache)
    set(_cache "$ENV{HOME}/.cache/fastconvmae")
  endif()
  set(_root "$ENV{LIBTORCH_ROOT}")
  if(NOT _root AND EXISTS "${_cache}/libtorch-path")
    file(STRINGS "${_cache}/libtorch-path" _root LIMIT_COUNT 1)
  endif()
  set(LIBTORCH_ROOT "${_root}" CACHE PATH "folder of the unpacked torch wheel (holds torch/)" FORCE)
endif()
find_library(LIBTORCH_CPU_LIBRARY torch_cpu PATHS "${LIBTORCH_ROOT}/torch/lib" NO_DEFAULT_PATH)
find_library(LIBTORCH_C10_LIBRARY c10 PATHS "${LIBTORCH_ROOT}/torch/lib" NO_DEFAULT_PATH)
find_path(LIBTORCH_INCLUDE_DIR ATen/ATen.h PATHS "${LIBTORCH_ROOT}/torch/include" NO_DEFAULT_PATH)
if(LIBTORCH_INCLUDE_DIR)
  file(STRINGS "${LIBTORCH_INCLUDE_DIR}/torch/headeronly/version.h" _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" LibTorch_VERSION "${_lines}")
  string(REPLACE ";" "." LibTorch_VERSION "${LibTorch_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LIBTORCH_CPU_LIBRARY LIBTORCH_C10_LIBRARY LIBTORCH_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
  FAIL_MESSAGE "LibTorch not found: run scripts/setup.sh, or set LIBTORCH_ROOT to the folder that contains torch/")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::c10 SHARED IMPORTED GLOBAL)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LIBTORCH_C10_LIBRARY}")
  target_include_directories(LibTorch::c10 SYSTEM INTERFACE
    "${LIBTORCH_INCLUDE_DIR}" "${LIBTORCH_INCLUDE_DIR}/torch/csrc/api/include")
  target_compile_definitions(LibTorch::c10 INTERFACE _GLIBCXX_USE_CXX11_ABI=1 USE_DISTRIBUTED USE_C10D_GLOO)
  # The wheel's libraries depend on CUDA libraries that a CPU-only program never calls.
  target_link_options(LibTorch::c10 INTERFACE LINKER:--allow-shlib-undefined)
  add_library(LibTorch::cpu SHARED IMPORTED GLOBAL)
  set_target_properties(LibTorch::cpu PROPERTIES IMPORTED_LOCATION "${LIBTORCH_CPU_LIBRARY}")
  target_link_libraries(LibTorch::cpu INTERFACE LibTorch::c10)
  # at::parallel_for is a template around an OpenMP pragma; without this flag it silently runs on one thread.
  target_compile_options(LibTorch::cpu INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_options(LibTorch::cpu INTERFACE -fopenmp)
endif()

if(TARGET LibTorch::cpu AND NOT TARGET LibTorch::cuda)
  find_library(LIBTORCH_CUDA_LIBRARY torch_cuda PATHS "${LIBTORCH_ROOT}/torch/lib" NO_DEFAULT_PATH)
  find_library(LIBTORCH_C10_CUDA_LIBRARY c10_cuda PATHS "${LIBTORCH_ROOT}/torch/lib" NO_DEFAULT_PATH)
  set(_cuda "${LIBTORCH_ROOT}/nvidia/cu13")
  if(LIBTORCH_CUDA_LIBRARY AND LIBTORCH_C10_CUDA_LIBRARY AND EXISTS "${_cuda}/lib/libcudart.so.13")
    add_library(LibTorch::torch_cuda SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::torch_cuda PROPERTIES IMPORTED_LOCATION "${LIBTORCH_CUDA_LIBRARY}")
    add_library(LibTorch::c10_cuda SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::c10_cuda PROPERTIES IMPORTED_LOCATION "${LIBTORCH_C10_CUDA_LIBRARY}")
    add_library(LibTorch::cudart SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::cudart PROPERTIES IMPORTED_LOCATION "${_cuda}/lib/libcudart.so.13")
    add_library(LibTorch::cublaslt SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::cublaslt PROPERTIES IMPORTED_LOCATION "${_cuda}/lib/libcublasLt.so.13")
    add_library(LibTorch::cuda INTERFACE IMPORTED GLOBAL)
    # No symbol of libtorch_cuda is referenced: its operators register themselves when it is loaded.
    target_link_options(LibTorch::cuda INTERFACE LINKER:--no-as-needed)
    add_library(LibTorch::nccl SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::nccl PROPERTIES IMPORTED_LOCATION "${LIBTORCH_ROOT}/nvidia/nccl/lib/libnccl.so.2")
    target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu LibTorch::torch_cuda LibTorch::c10_cuda LibTorch::cudart LibTorch::cublaslt LibTorch::nccl)
    target_include_directories(LibTorch::cuda SYSTEM INTERFACE "${_cuda}/include" "${LIBTORCH_ROOT}/nvidia/nccl/include")
  endif()
endif()
