// The help of the program and of command groups. The help of a command is Flags::help().
#pragma once

#include <string>

namespace fcm::apps {

// The help of a command group, for example "recipe"; of the program if `group` is empty.
std::string usage_of(const std::string& group);

}  // namespace fcm::apps
