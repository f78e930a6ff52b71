// The program. Commands live in fcm/tasks; this file parses the command line and maps errors to
// exit codes.
#include <cstdio>

#include "fcm/base/error.h"

int main() {
  std::fputs("fastconvmae: no command yet\n", stderr);
  return static_cast<int>(fcm::ExitCode::kUsage);
}
