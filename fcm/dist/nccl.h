// Collective operations between GPUs, by NCCL. In builds with CUDA alone: weak, null elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace fcm::dist {

// A process group for tensors on the GPU of this rank, on which it may run with no other rank. Its
// operations are queued on the GPU: waiting for one makes the current stream wait, not the caller.
// Throws std::exception where NCCL finds no GPU.
[[gnu::weak]] c10::intrusive_ptr<c10d::Backend> make_nccl(c10::intrusive_ptr<c10d::Store> store,
                                                          int64_t rank, int64_t size);

// The number that the GPU at `index` has everywhere, whatever CUDA_VISIBLE_DEVICES says.
[[gnu::weak]] std::string uuid_of_gpu(int64_t index);

}  // namespace fcm::dist
