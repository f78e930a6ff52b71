// The program, without main().
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fcm::apps {

// Runs the command line and returns the exit status. Errors become a message on stderr and their
// status; nothing is thrown. `before_work` is called before a command that uses data or a model
// runs.
int run_program(const std::vector<std::string>& arguments,
                const std::function<void()>& before_work = {});

}  // namespace fcm::apps
