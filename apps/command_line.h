// Parses argv into a command to run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/command.h"

namespace fcm::apps {

struct CommandLine {
  std::string command;  // "recipe show"; empty: no command, for example with --version alone
  std::string help;     // the help text to print instead of running the command; empty: none
  bool version = false;
  bool json = false;
  bool quiet = false;
  bool in_group = false;         // Command::in_group
  Action action;                 // empty if help or version is requested
  std::unique_ptr<Flags> flags;  // of the command; must live as long as the action
};

// `arguments`: without the program's name. Flags may also precede the command. Throws Error(kUsage)
// for an unknown command or flag, a flag that the command does not use, and a wrong or missing
// value.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// Prints the help or the version if requested; returns whether it did.
bool print_help_or_version(const CommandLine& line);

}  // namespace fcm::apps
