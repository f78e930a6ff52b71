// The interface of a command.
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

// Where a command sends results and messages.
struct Output {
  Reporter& reporter;  // messages, on stderr
  bool json = false;   // results on stdout as JSON
  // The processes that share the command's work.
  std::shared_ptr<dist::Group> group = dist::group_of_one();
  bool quiet = false;  // --quiet; `reporter` already applies it

  // Prints the result to stdout, in rank 0 only. Returns 0, the exit status of success. Non-finite
  // values become null, with a warning.
  int print(nlohmann::json result) const;
  // Prints `result` with --json, else `text`.
  int print(const nlohmann::json& result, const std::string& text) const;
  // Like print, for a run that can be stopped: returns 75 if result["stopped"] is true.
  int print_run(const nlohmann::json& result) const;
};

// Runs the command after its flags were parsed. Returns the exit status; throws the library's
// errors.
using Action = std::function<int(const Output&)>;

struct Command {
  std::string name;           // as typed: "recipe show"
  Action (*declare)(Flags&);  // sets its help, adds its flags and returns its action
  bool in_group = false;      // several processes share its work; else only rank 0 runs it
};

// A command with all its flags, not parsed yet.
struct Declared {
  std::unique_ptr<Flags> flags;  // must live as long as the action
  Action action;
};
Declared declared(const Command& command);

// All commands, in the order of the help.
std::vector<Command> all_commands();

// A group of commands, like "recipe" of "recipe show", with its description in the help.
struct Group {
  std::string name, about;
};
std::vector<Group> all_groups();

}  // namespace fcm::apps
