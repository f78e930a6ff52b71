#include "apps/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "apps/results.h"
#include "apps/usage.h"
#include "apps/version.h"
#include "fcm/base/error.h"
#include "fcm/config/nearest.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

bool is_flag(const std::string& word) { return word.starts_with("-"); }

std::string name_of(const std::string& flag) { return flag.substr(0, flag.find('=')); }

// A flag, and the commands that have it.
struct KnownFlag {
  Words commands;
  bool takes_value = false;
};

std::map<std::string, KnownFlag> known_flags() {
  std::map<std::string, KnownFlag> known;
  for (const Command& command : all_commands()) {
    for (const FlagFacts& facts : declared(command).flags->facts()) {
      for (const std::string& name : facts.names) {
        if (!is_flag(name)) continue;
        known[name].commands.push_back(command.name);
        known[name].takes_value = facts.takes_value;
      }
    }
  }
  return known;
}

// The words that may follow a group like "bench", or the program's name if `group` is "".
Words words_after(const std::string& group) {
  Words names;
  for (const Command& command : all_commands()) {
    const size_t space = command.name.find(' ');
    const bool in_group = space != command.name.npos;
    if (group.empty() && !in_group) names.push_back(command.name);
    if (in_group && command.name.substr(0, space) == group) {
      names.push_back(command.name.substr(space + 1));
    }
  }
  if (group.empty()) {
    for (const Group& one : all_groups()) names.push_back(one.name);
  }
  return names;
}

std::string see_help(const std::string& command) {
  return fmt::format("see fastconvmae {}{}--help", command, command.empty() ? "" : " ");
}

[[noreturn]] void refuse_unknown(const char* what, const std::string& word, const Words& candidates,
                                 const std::string& command) {
  const std::optional<std::string> meant = config::nearest(word, candidates);
  fail(ExitCode::kUsage, "unknown {} {}; {}", what, word,
       meant ? fmt::format("did you mean {}?", *meant) : see_help(command));
}

// The arguments, split into a command and its flags, which may precede and follow it.
struct Split {
  std::string group;               // "recipe"; empty: none
  std::optional<Command> command;  // nullopt: the arguments end before a command
  Words words;
};

// The number of words of the flag at `first`: 2 if its value is the next word, else 1. Throws
// Error(kUsage) if no command has this flag.
size_t length_of_flag(const Words& words, size_t first, const std::string& group) {
  const std::string& word = words[first];
  const auto known = known_flags();
  const auto found = known.find(name_of(word));
  if (found == known.end()) {
    Words names;
    for (const auto& [name, flag] : known) names.push_back(name);
    refuse_unknown("flag", name_of(word), names, group);
  }
  const bool value_follows = found->second.takes_value && name_of(word) == word;
  return value_follows && first + 1 < words.size() ? 2 : 1;
}

Split split(const Words& arguments) {
  Split result;
  const std::vector<Command> commands = all_commands();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (is_flag(word)) {
      result.words.push_back(word);
      if (length_of_flag(arguments, i, result.group) == 2) result.words.push_back(arguments[++i]);
      continue;
    }
    const Words names = words_after(result.group);
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      refuse_unknown("command", word, names, result.group);
    }
    const std::string name = result.group.empty() ? word : result.group + " " + word;
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& command) { return command.name == name; });
    if (found == commands.end()) {
      result.group = word;
      continue;
    }
    result.command = *found;
    result.words.insert(result.words.end(), arguments.begin() + static_cast<ptrdiff_t>(i) + 1,
                        arguments.end());
    return result;
  }
  return result;
}

// The command line of arguments without a command: the program and groups like `recipe` can only
// show their help or the version. Throws Error(kUsage) if neither is requested.
CommandLine without_command(const Split& split) {
  CommandLine line;
  for (const std::string& word : split.words) {
    if (word == "--help" || word == "-h") line.help = usage_of(split.group);
    if (word == "--version") line.version = true;
    if (word == "--json") line.json = true;
  }
  if (!line.help.empty() || line.version) return line;
  const std::string list = fmt::format("{}", fmt::join(words_after(split.group), ", "));
  if (split.group.empty()) {
    fail(ExitCode::kUsage, "name a command: {}; {}", list, see_help(""));
  }
  fail(ExitCode::kUsage, "{} needs one of: {}; {}", split.group, list, see_help(split.group));
}

// `left`: words that are neither flags nor arguments of the command.
[[noreturn]] void refuse_left_over(const std::string& command, const Flags& flags,
                                   const Words& left) {
  const auto flag = std::find_if(left.begin(), left.end(), is_flag);
  if (flag == left.end()) refuse_unknown("argument", left.front(), {}, command);
  const std::string name = name_of(*flag);
  const auto known = known_flags();
  if (const auto found = known.find(name); found != known.end()) {
    fail(ExitCode::kUsage, "{} does not use {}; it is a flag of {}; {}", command, name,
         fmt::join(found->second.commands, ", "), see_help(command));
  }
  Words own;
  for (const FlagFacts& facts : flags.facts()) {
    std::copy_if(facts.names.begin(), facts.names.end(), std::back_inserter(own), is_flag);
  }
  refuse_unknown("flag", name, own, command);
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  const Split parts = split(arguments);
  if (!parts.command) return without_command(parts);
  Declared command = declared(*parts.command);
  const Words left = command.flags->parse(parts.words);
  CommandLine line;
  line.command = parts.command->name;
  line.version = command.flags->wants_version();
  line.json = command.flags->json();
  line.quiet = command.flags->quiet();
  line.in_group = parts.command->in_group;
  if (command.flags->wants_help()) {
    line.help = command.flags->help();
  } else if (!line.version && !left.empty()) {
    refuse_left_over(line.command, *command.flags, left);
  }
  line.action = std::move(command.action);
  line.flags = std::move(command.flags);
  return line;
}

bool print_help_or_version(const CommandLine& line) {
  if (!line.help.empty()) {
    print_text(line.help);
  } else if (line.version) {
    print_version(line.json);
  } else {
    return false;
  }
  return true;
}

}  // namespace fcm::apps
