// For kernel files, which include neither fmt nor containers.
#pragma once

namespace fcm::ops {

// Throws fcm::Error(kDevice). kernel: whose launch failed; message: what the driver says.
[[noreturn]] void launch_failed(const char* kernel, const char* message);
// Throws std::logic_error: `kernel` was given what it cannot do.
[[noreturn]] void launch_refused(const char* kernel, const char* why);

}  // namespace fcm::ops
