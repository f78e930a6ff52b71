// Every operator by its plain reference instead of its kernels: whether a number is wrong because
// of a kernel or because of the model shows within minutes (docs/debugging.md). Slow, and needs the
// memory of plain tensor calls.
#pragma once

namespace fcm::ops {

// While one lives that wants them, operators called by this thread are their references, with
// LibTorch's way back.
class ReferenceOps {
 public:
  explicit ReferenceOps(bool wanted = true);
  ~ReferenceOps();
  ReferenceOps(const ReferenceOps&) = delete;
  ReferenceOps& operator=(const ReferenceOps&) = delete;

 private:
  bool before_;
};

bool reference_ops();  // asked by operators

}  // namespace fcm::ops
