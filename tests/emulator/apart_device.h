// An emulated GPU: a LibTorch device (PrivateUse1) whose memory is CPU memory. This program's
// operators run their CUDA kernels on its tensors, on the emulator; the CPU runs all other
// operators on copies. An operator that mixes tensors of the CPU and of the device throws
// DeviceViolation (some throw LibTorch's own error), since a GPU would fail. Copying a tensor
// between CPU and device, or reading a value, makes a GPU synchronise; here these throw
// DeviceViolation only while a NoSynchronisation exists.
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
