// The program without its main().
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fcm::apps {

// Does what the arguments say and returns the exit status. Errors become a sentence on stderr and
// their status; nothing is thrown. `before_work` is called once it is clear that a command with
// data or a model will run.
int run_program(const std::vector<std::string>& arguments,
                const std::function<void()>& before_work = {});

}  // namespace fcm::apps
