// An emulated GPU: a LibTorch device (PrivateUse1) whose memory is CPU memory. This program's
// operators run their CUDA kernels on its tensors, on the emulator; the CPU runs all other
// operators on copies. An error is thrown where a GPU would fail: if an operator mixes tensors of
// the CPU and of the device (DeviceViolation, or LibTorch's own error). While a NoSynchronisation
// exists, DeviceViolation is also thrown where a GPU would synchronise: if a tensor is copied
// between the CPU and the device, or a value is read from the device.
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
