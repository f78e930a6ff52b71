#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fail(ExitCode::kDevice, "CUDA: {}: {}", what, cudaGetErrorString(status));
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// The index of the current device, whose allocator statistics can be read. This initialises CUDA in
// LibTorch, whose table of devices is otherwise empty until the first allocation.
int8_t ready_device() {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return static_cast<int8_t>(c10::cuda::current_device());
}

}  // namespace

bool cuda_built() { return true; }

std::string cuda_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "version of the run-time library");
  return version_text(version);
}

std::vector<CudaDevice> cuda_devices() {
  std::vector<CudaDevice> devices;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();  // otherwise the next call would report this error again
    return devices;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp facts{};
    check(cudaGetDeviceProperties(&facts, index), "properties of a device");
    devices.push_back({facts.name, facts.major, facts.minor, facts.multiProcessorCount,
                       static_cast<int64_t>(facts.totalGlobalMem)});
  }
  return devices;
}

std::string why_no_cuda_device() {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status == cudaSuccess) {
    return count > 0 ? "" : "the driver sees no GPU that this process may use";
  }
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "there is no NVIDIA driver on this machine";
  }
  cudaRuntimeGetVersion(&runtime);
  if (status == cudaErrorInsufficientDriver) {
    return fmt::format("the NVIDIA driver supports CUDA {}, at least {}.0 is needed",
                       version_text(driver), runtime / 1000);
  }
  return cudaGetErrorString(status);
}

void use_cuda_device(int index) {
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowBF16ReductionCuBLAS(false);  // accumulate in float32
  // Deterministic kernels, so that every run gives the same bits; LibTorch warns if an operator has
  // none. In this mode it would also fill every new tensor, which costs time and is not needed
  // here.
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  ready_device();
}

CudaStream current_cuda_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

void wait_for_cuda() { check(cudaDeviceSynchronize(), "waiting for the device"); }

CudaMemory cuda_memory() {
  const auto statistics = allocator::getDeviceStats(ready_device());
  const auto& bytes =
      statistics.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "memory of the device");
  return {bytes.current, bytes.peak, static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

void reset_peak_of_cuda_memory() { allocator::resetPeakStats(ready_device()); }

}  // namespace fcm::ops
