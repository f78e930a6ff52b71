// Collective operations between GPUs by NCCL. The functions are defined only in builds with CUDA;
// in other builds they are weak symbols and null.
#pragma once

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace fcm::dist {

// A process group for tensors on this rank's GPU; no other rank may use that GPU. Operations are
// enqueued: waiting for an operation makes the current stream wait but does not block the caller.
// Throws std::exception if NCCL finds no GPU.
[[gnu::weak]] c10::intrusive_ptr<c10d::Backend> make_nccl(c10::intrusive_ptr<c10d::Store> store,
                                                          int64_t rank, int64_t size);

// The UUID of the GPU at `index`, independent of CUDA_VISIBLE_DEVICES.
[[gnu::weak]] std::string uuid_of_gpu(int64_t index);

}  // namespace fcm::dist
