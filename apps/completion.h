// Scripts that complete command lines in shells. They are generated from the commands and flags,
// and completing a line does not start the program. Recipe names are those of the recipes that ship
// with the program that wrote the script.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/flags.h"

namespace fcm::apps {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

// The possible values of a flag or argument.
struct Candidates {
  std::vector<std::string> words;
  std::vector<std::string> prefixes;    // prefixes like "optim.epochs=", before a value
  bool files = false, folders = false;  // whether names of files or folders are candidates
  bool file_follows = false;            // a file name follows the prefix
};
Candidates candidates_for(const FlagFacts& flag);

// Facts about a command or a group, for completions and manual pages.
struct CommandFacts {
  std::string name;        // "recipe show"; "recipe"; "" for the program
  std::string about;       // what it does
  std::string notes = {};  // the text below its flags
  std::vector<FlagFacts> flags = {};
  bool is_group = false;
  bool runs_another = false;  // another command follows its flags
};
// The commands and groups, in the order of the help.
std::vector<CommandFacts> command_tree();
// "show" for "recipe show".
std::string last_word(const std::string& command);
// The names of all flags in `tree` for which `is` returns true, separated by blanks.
std::string flags_that(const std::vector<CommandFacts>& tree,
                       const std::function<bool(const FlagFacts&)>& is);
// Commands that may follow `group`; "" for the program.
std::vector<CommandFacts> commands_after(const std::string& group);

}  // namespace fcm::apps
