// A CUDA stream, without CUDA's headers.
#pragma once

struct CUstream_st;

namespace fcm::ops {

// The same type as cudaStream_t.
using CudaStream = CUstream_st*;

}  // namespace fcm::ops
