// A device of its own kind (PrivateUse1) whose memory is the CPU's. LibTorch treats its tensors as
// tensors of another device; this program's operators send them to their CUDA kernels; the CPU
// executes all other operators on copies. Where a GPU would refuse or synchronise, Apart is thrown:
// by an operator that mixes tensors of both devices and, while a NoSynchronisation exists, by a
// copy between the devices or a value that is read.
#pragma once

#include <ATen/core/Tensor.h>

#include <stdexcept>

namespace fcm::test::emulator {

inline const at::Device kEmulatedDevice{at::kPrivateUse1, 0};

struct Apart : std::logic_error {
  using std::logic_error::logic_error;
};

// Forbids synchronisation, as while a graph is captured. Affects all threads.
class NoSynchronisation {
 public:
  NoSynchronisation();
  ~NoSynchronisation();
  NoSynchronisation(const NoSynchronisation&) = delete;
  NoSynchronisation& operator=(const NoSynchronisation&) = delete;
};

}  // namespace fcm::test::emulator
