// An emulated GPU: a LibTorch device (PrivateUse1) whose memory is CPU memory. This program's
// operators run their CUDA kernels on its tensors, on the emulator; the CPU runs all other
// operators on copies. DeviceViolation is thrown where a GPU would fail or synchronise: if an
// operator mixes tensors of the CPU and of the device and, while a NoSynchronisation exists, if a
// tensor is copied between them or a value is read.
#pragma once

#include <ATen/core/Tensor.h>

#include <stdexcept>

namespace fcm::test::emulator {

inline const at::Device kEmulatedDevice{at::kPrivateUse1, 0};

struct DeviceViolation : std::logic_error {
  using std::logic_error::logic_error;
};

// During its lifetime synchronisation throws DeviceViolation, as during the capture of a graph.
// Applies to all threads.
class NoSynchronisation {
 public:
  NoSynchronisation();
  ~NoSynchronisation();
  NoSynchronisation(const NoSynchronisation&) = delete;
  NoSynchronisation& operator=(const NoSynchronisation&) = delete;
};

}  // namespace fcm::test::emulator
