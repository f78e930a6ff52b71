// Handles standard streams that are closed or whose reader is gone.
#pragma once

namespace fcm::apps {

// Opens /dev/null in place of closed streams (`>&-`). Otherwise the next file that is opened would
// get the descriptor of a closed stream, and messages would be written into it. Call this first in
// main().
void fill_closed_streams();

// Makes writing to a stream whose reader is gone (`| head`) an error instead of a signal, so that a
// run continues even if nobody reads its messages. For results on stdout see end_as_by_sigpipe().
void ignore_sigpipe();

// Ends the program as SIGPIPE would: without a message, with exit status 141.
[[noreturn]] void end_as_by_sigpipe();

}  // namespace fcm::apps
