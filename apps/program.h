// The program without main().
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fcm::apps {

// Runs the command line and returns the exit status. An error becomes a message on stderr and its
// exit status; nothing is thrown. `before_work` is called before any command runs, except those of
// `recipe`.
int run_program(const std::vector<std::string>& arguments,
                const std::function<void()>& before_work = {});

}  // namespace fcm::apps
