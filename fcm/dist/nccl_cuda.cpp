// Without this macro the header is empty.
#define USE_C10D_NCCL

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdlib>
#include <span>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/dist/nccl.h"

namespace fcm::dist {
namespace {

// PeerWatch detects a lost rank and ends this process with a message. By itself NCCL's process
// group would abort with a stack trace or write a dump.
void leave_lost_ranks_to_the_watch() {
  for (const char* name : {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ENABLE_MONITORING",
                           "TORCH_NCCL_DUMP_ON_TIMEOUT", "TORCH_NCCL_PROPAGATE_ERROR"}) {
    ::setenv(name, "0", /*overwrite=*/0);
  }
}

}  // namespace

c10::intrusive_ptr<c10d::Backend> make_nccl(c10::intrusive_ptr<c10d::Store> store, int64_t rank,
                                            int64_t size) {
  leave_lost_ranks_to_the_watch();
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::hours(1);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(std::move(store), static_cast<int>(rank),
                                                     static_cast<int>(size), std::move(options));
}

std::string uuid_of_gpu(int64_t index) {
  cudaDeviceProp facts{};
  const cudaError_t status = cudaGetDeviceProperties(&facts, static_cast<int>(index));
  if (status != cudaSuccess) {
    fail(ExitCode::kDevice, "CUDA: properties of GPU {}: {}", index, cudaGetErrorString(status));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(facts.uuid.bytes);
  return fmt::format("{:02x}", fmt::join(std::span(bytes, sizeof facts.uuid.bytes), ""));
}

}  // namespace fcm::dist
