#include <stdexcept>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/launch_error.h"

namespace fcm::ops {

void launch_failed(const char* kernel, const char* message) {
  fail(ExitCode::kDevice,
       "cannot launch the GPU kernel {}: {}; check that the driver and the GPU are supported "
       "(fastconvmae --version), or use --device cpu",
       kernel, message);
}

void launch_refused(const char* kernel, const char* why) {
  require(false, "the kernel {} {}", kernel, why);
  throw std::logic_error("unreachable");
}

}  // namespace fcm::ops
