// A queue of work on a GPU, without CUDA's headers.
#pragma once

struct CUstream_st;

namespace fcm::ops {

// The type that CUDA calls cudaStream_t.
using CudaStream = CUstream_st*;

}  // namespace fcm::ops
