// From argv to what is to be done.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/command.h"

namespace fcm::apps {

struct CommandLine {
  std::string command;  // "recipe show"; empty: none, as with --version
  std::string help;     // asked for: to be printed instead of running anything
  bool version = false;
  bool json = false;
  bool quiet = false;
  bool in_group = false;         // Command::in_group
  Action action;                 // where neither help nor version was asked for
  std::unique_ptr<Flags> flags;  // of the command; the action asks them what was given
};

// `arguments` without the program's name. Flags may stand before the command as well. Throws
// Error(kUsage): an unknown command or flag, a flag that the command does not use, a value that is
// wrong or missing.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// Prints the help or the version where it was asked for; false: neither was.
bool print_what_is_asked(const CommandLine& line);

}  // namespace fcm::apps
