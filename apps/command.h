// What a command is to the rest of the program.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "fcm/base/reporter.h"
#include "fcm/dist/group.h"

namespace fcm::apps {

// Where results and messages go.
struct Output {
  Reporter& reporter;  // stderr
  bool json = false;   // results on stdout as JSON
  // The processes that share the command's work.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
  bool quiet = false;  // what the reporter knows already

  // On stdout, by rank 0 alone. Returns the exit status of success, 0. Numbers that are not finite
  // become null, with a warning.
  int print(nlohmann::json result) const;
  // The same for a result with a text of its own.
  int print(const nlohmann::json& result, const std::string& text) const;
  // Of a run that can be stopped: 75 where result["stopped"] says that it was.
  int print_run(const nlohmann::json& result) const;
};

// What is left to do when the command line has been read. Returns the exit status; throws what the
// library throws.
using Action = std::function<int(const Output&)>;

struct Command {
  std::string name;           // as typed: "recipe show"
  Action (*declare)(Flags&);  // describes it, adds its flags, and says what it does with them
  bool in_group = false;      // several processes share its work; else rank 0 does it alone
};

// A command with all its flags, before they are read.
struct Declared {
  std::unique_ptr<Flags> flags;  // must live as long as the action
  Action action;
};
Declared declared(const Command& command);

// In the order of the help.
std::vector<Command> all_commands();

// The words like "recipe" of "recipe show", and what the help says about them.
struct Group {
  std::string name, about;
};
std::vector<Group> all_groups();

}  // namespace fcm::apps
