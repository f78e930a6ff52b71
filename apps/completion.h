// Scripts by which shells complete the command line. They are made from the commands and flags
// themselves and hold all that they need, so that a tab costs no start of the program: names of
// recipes are those that ship with the program that wrote the script.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/flags.h"

namespace fcm::apps {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

// What may be typed as the value of a flag or argument.
struct Candidates {
  std::vector<std::string> words;
  std::vector<std::string> beginnings;  // "optim.epochs=": more has to be typed behind them
  bool files = false, folders = false;
  bool file_behind = false;  // a file behind a beginning
};
Candidates candidates_for(const FlagFacts& flag);

// A command or a group as completions see it.
struct CommandFacts {
  std::string name;        // "recipe show"; "recipe"; "" for the program
  std::string about;       // what it does
  std::string notes = {};  // below its flags
  std::vector<FlagFacts> flags = {};
  bool is_group = false;
  bool runs_another = false;  // whose words stand behind its flags
};
// The commands and groups, in the order of the help.
std::vector<CommandFacts> command_tree();
// "show" of "recipe show".
std::string last_word(const std::string& command);
// Flags of any command for which `is` holds, between blanks.
std::string flags_that(const std::vector<CommandFacts>& tree,
                       const std::function<bool(const FlagFacts&)>& is);
// Those that may stand behind `group`, "" for the program.
std::vector<CommandFacts> commands_behind(const std::string& group);

}  // namespace fcm::apps
