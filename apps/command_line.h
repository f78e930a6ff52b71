// From argv to Options, with help texts and suggestions for what was mistyped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"

namespace fcm::apps {

struct CommandLine {
  Options options;
  std::optional<std::string> help;  // asked for: to be printed instead of running anything
};

// `arguments` without the program's name. Throws Error(kUsage).
CommandLine parse_command_line(const std::vector<std::string>& arguments);

}  // namespace fcm::apps
