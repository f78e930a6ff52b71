# CUDA code: FASTCONVMAE_CUDA = OFF, ON, or CHECK (like OFF, plus extra targets that are linked with CUDA, for
# scripts/check-cuda.sh). In builds with CUDA, *.cu and *_cuda.cpp in fcm/ become the library fcm_cuda; all other
# objects are the same in both builds. They declare the functions of fcm_cuda weak: without fcm_cuda the kernels are null
# and fcm/ops/cuda/absent.cpp is used. fcm_cuda is linked as a whole archive, because a weak reference pulls in no object.
set(FASTCONVMAE_CUDA OFF CACHE STRING "CUDA code: OFF, ON or CHECK")

if(FASTCONVMAE_CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    find_program(FCM_NVCC nvcc HINTS "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
    if(NOT FCM_NVCC)
      message(FATAL_ERROR "FASTCONVMAE_CUDA=${FASTCONVMAE_CUDA} needs nvcc 13: install the CUDA toolkit or set CUDA_HOME")
    endif()
    set(CMAKE_CUDA_COMPILER "${FCM_NVCC}")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90a-real)  # A100, with PTX for later GPUs; H100, H200
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know that nvcc 12 and later support C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA_STANDARD 20)
  # Otherwise CMake links a static copy in addition to LibTorch's shared one.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  # Kernels are a third of a program, and a bundle has four programs; compression reduces kernels to a fifth.
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3 --compress-mode=size")
  if(CCACHE)
    set(CMAKE_CUDA_COMPILER_LAUNCHER "${CCACHE}")
  endif()
  if(NOT TARGET LibTorch::cuda)
    message(FATAL_ERROR "FASTCONVMAE_CUDA=${FASTCONVMAE_CUDA} needs LibTorch with its CUDA libraries: FASTCONVMAE_CUDA=1 scripts/setup.sh")
  endif()
endif()

function(fcm_add_cuda_library)
  if(NOT FASTCONVMAE_CUDA)
    return()
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fcm/*.cu" "${PROJECT_SOURCE_DIR}/fcm/*_cuda.cpp")
  add_library(fcm_cuda STATIC ${sources})
  add_library(fastconvmae::fcm_cuda ALIAS fcm_cuda)
  target_include_directories(fcm_cuda PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
  target_compile_options(fcm_cuda PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Wall;-Xcompiler=-Wextra>")
  target_link_libraries(fcm_cuda PRIVATE $<BUILD_INTERFACE:fcm_warnings> PUBLIC Outside::fmt LibTorch::cuda)
  target_precompile_headers(fcm_cuda REUSE_FROM fcm_precompiled_torch)
endfunction()

# Adds `target`_cuda: the objects and libraries of an executable, linked with CUDA code in a build without CUDA.
function(fcm_add_cuda_twin target)
  add_executable(${target}_cuda EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${target}>)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  target_link_libraries(${target}_cuda PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,fcm_cuda>" ${libraries})
endfunction()
