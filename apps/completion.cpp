#include "apps/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <variant>

#include "apps/command.h"
#include "apps/recipes.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps {
namespace {

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const auto& file : recipe::shipped_recipes(recipe_folders())) {
    names.push_back(file.stem().string());
  }
  return names;
}

// Adds "optim.epochs=" for every key, and "model.precision=bf16" for keys with a fixed set of
// values.
void add_keys(Candidates& candidates) {
  std::vector<recipe::Recipe> tasks = one_of_each_task();
  for (const config::Field& field : all_keys(tasks)) {
    if (field.section == "row") continue;  // the recipe's name
    const std::string prefix = field.name() + "=";
    candidates.prefixes.push_back(prefix);
    std::vector<std::string> values = field.one_of.names;
    if (std::holds_alternative<bool*>(field.target)) values = {"true", "false"};
    for (const std::string& value : values) candidates.words.push_back(prefix + value);
  }
}

// `kind`: one of the alternatives of FlagFacts::kind.
void add_kind(Candidates& candidates, const std::string& kind, const FlagFacts& flag) {
  const bool is_device = flag.names.front() == "--device";
  if (kind.find("FILE") == 0 || kind == "PATH") {
    candidates.files = true;
  } else if (kind == "DIR") {
    candidates.folders = true;
  } else if (kind == "DATA") {
    candidates.files = true;
    candidates.words = {"synthetic", "fashion-mnist"};
  } else if (kind == "SECTION.KEY=VALUE") {
    add_keys(candidates);
  } else if (kind == "NAME" && is_device) {
    candidates.words = {"auto", "cpu", "cuda"};
  } else if (kind == "NAME") {
    candidates.words = recipe_names();
  } else if (!kind.empty() && std::islower(static_cast<unsigned char>(kind.front())) != 0) {
    candidates.words.push_back(kind);
  }
}

}  // namespace

Candidates candidates_for(const FlagFacts& flag) {
  Candidates candidates;
  if (!flag.takes_value) return candidates;
  if (flag.kind == "clip|dino=FILE") {
    candidates.prefixes = {"clip=", "dino="};
    candidates.file_follows = true;
    return candidates;
  }
  std::istringstream kinds(flag.kind);
  for (std::string kind; std::getline(kinds, kind, '|');) add_kind(candidates, kind, flag);
  return candidates;
}

std::vector<CommandFacts> command_tree() {
  std::vector<CommandFacts> all;
  for (const Command& command : all_commands()) {
    const Declared known = declared(command);
    const Flags& flags = *known.flags;
    all.push_back({.name = command.name,
                   .about = flags.about(),
                   .notes = flags.notes(),
                   .flags = flags.facts(),
                   .runs_another = !flags.rest_kind().empty()});
  }
  for (const Group& group : all_groups()) {
    all.push_back({.name = group.name, .about = group.about, .is_group = true});
  }
  return all;
}

std::string last_word(const std::string& command) {
  return command.substr(command.rfind(' ') + 1);  // npos + 1 is 0
}

std::string flags_that(const std::vector<CommandFacts>& tree,
                       const std::function<bool(const FlagFacts&)>& is) {
  std::set<std::string> names;
  for (const CommandFacts& command : tree) {
    for (const FlagFacts& flag : command.flags) {
      if (!is(flag)) continue;
      std::copy_if(flag.names.begin(), flag.names.end(), std::inserter(names, names.end()),
                   [](const std::string& name) { return name.starts_with('-'); });
    }
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::vector<CommandFacts> commands_after(const std::string& group) {
  std::vector<CommandFacts> all = command_tree();
  std::erase_if(all, [&](const CommandFacts& one) {
    const size_t space = one.name.find(' ');
    return group.empty() ? space != one.name.npos
                         : one.name.substr(0, space) != group || space == one.name.npos;
  });
  return all;
}

}  // namespace fcm::apps
