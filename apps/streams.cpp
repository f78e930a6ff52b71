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
    // The lowest free number is this one. A machine without /dev has its root folder. Of stdout
    // nothing is written into: a result that nobody gets is an error, a message is not.
    const int mode = stream == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (::open("/dev/null", mode) == -1) (void)::open("/", O_RDONLY);
  }
}

void ignore_sigpipe() { std::signal(SIGPIPE, SIG_IGN); }

void end_as_by_sigpipe() {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  ::_exit(128 + SIGPIPE);  // where the signal is blocked
}

}  // namespace fcm::apps
