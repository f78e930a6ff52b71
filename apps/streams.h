// The three streams that a program is started with, as far as they are there.
#pragma once

namespace fcm::apps {

// Opens /dev/null in the place of those that are closed (`>&-`): otherwise the first file that the
// program opens gets their number, and messages end up in it. Called first of all.
void fill_closed_streams();

// A stream whose reader has gone away (`| head`) gives an error and no signal: a run whose messages
// nobody reads goes on. Results on stdout: end_as_by_sigpipe().
void ignore_sigpipe();

// Ends the program as the signal would have, without a word: exit status 141.
[[noreturn]] void end_as_by_sigpipe();

}  // namespace fcm::apps
