#include "apps/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>

namespace fcm::apps {

void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // open() returns the lowest free descriptor, which is that of this stream. If there is no
    // /dev/null, the root folder is opened instead. stdout is opened read-only, because writing a
    // result to a closed stdout must fail; messages on stderr may be lost.
    const int mode = stream == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (::open("/dev/null", mode) == -1) (void)::open("/", O_RDONLY);
  }
}

void ignore_sigpipe() { std::signal(SIGPIPE, SIG_IGN); }

void end_as_by_sigpipe() {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  ::_exit(128 + SIGPIPE);  // reached only if the signal is blocked
}

}  // namespace fcm::apps
