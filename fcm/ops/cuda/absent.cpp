#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {

void absent_from_this_build() {
  fail(ExitCode::kDevice, "this program was built without CUDA; use --device cpu");
}

}  // namespace fcm::ops
