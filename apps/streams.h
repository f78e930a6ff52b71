// The three standard streams, closed or broken.
#pragma once

namespace fcm::apps {

// Opens /dev/null in place of closed streams (`>&-`): otherwise the next file that is opened gets
// such a number, and messages end up in it. Must be called first.
void fill_closed_streams();

// A stream whose reader is gone (`| head`) causes an error instead of a signal, so a run whose
// messages nobody reads continues. Results on stdout: end_as_by_sigpipe().
void ignore_sigpipe();

// Ends the program as SIGPIPE would, silently: exit status 141.
[[noreturn]] void end_as_by_sigpipe();

}  // namespace fcm::apps
