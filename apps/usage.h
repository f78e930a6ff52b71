// The help of the program and of command groups. The help of a command is Flags::help().
#pragma once

#include <string>

namespace fcm::apps {

// `group`: "recipe"; empty: the program.
std::string usage_of(const std::string& group);

}  // namespace fcm::apps
