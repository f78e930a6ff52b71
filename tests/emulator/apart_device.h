// A device whose memory is the CPU's and whose tensors are not the CPU's: LibTorch sees a device of
// its own (PrivateUse1), operators of this program send its tensors to their kernels for CUDA, all
// others are done by the CPU on copies. What a GPU would refuse or wait for is thrown as Apart: an
// operator that mixes tensors of both, and, while Strictly lives, a copy from one to the other or a
// number that is read.
#pragma once

#include <ATen/core/Tensor.h>

#include <stdexcept>

namespace fcm::test::emulator {

inline const at::Device kApart{at::kPrivateUse1, 0};

struct Apart : std::logic_error {
  using std::logic_error::logic_error;
};

// As while a graph is recorded. Counts for all threads.
class Strictly {
 public:
  Strictly();
  ~Strictly();
  Strictly(const Strictly&) = delete;
  Strictly& operator=(const Strictly&) = delete;
};

}  // namespace fcm::test::emulator
