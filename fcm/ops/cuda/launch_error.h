// Errors of kernel launches, in functions because kernel files include neither fmt nor containers.
#pragma once

namespace fcm::ops {

// Throws fcm::Error(kDevice). kernel: the kernel that failed to launch; message: from the driver.
[[noreturn]] void launch_failed(const char* kernel, const char* message);
// Throws std::logic_error: `kernel` was called with arguments that it does not support.
[[noreturn]] void launch_refused(const char* kernel, const char* why);

}  // namespace fcm::ops
