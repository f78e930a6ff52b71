// The help of the program and of groups of commands; a command's own is Flags::help().
#pragma once

#include <string>

namespace fcm::apps {

// `group`: "recipe"; empty: the program.
std::string usage_of(const std::string& group);

}  // namespace fcm::apps
