// Replaces the kernels of the operators (the op.h files) by their plain references. This shows
// within minutes whether a wrong value comes from a kernel or from the model (docs/debugging.md).
// It is slow and needs the memory of plain tensor calls. nn::Conv keeps its kernels: it calls the
// passes of operators directly.
#pragma once

namespace fcm::ops {

// While an instance with wanted = true lives, operators called by this thread run their reference,
// with LibTorch's autograd.
class ReferenceOps {
 public:
  explicit ReferenceOps(bool wanted = true);
  ~ReferenceOps();
  ReferenceOps(const ReferenceOps&) = delete;
  ReferenceOps& operator=(const ReferenceOps&) = delete;

 private:
  bool before_;
};

bool reference_ops();  // checked by every operator

}  // namespace fcm::ops
