#include "apps/usage.h"

#include <fmt/format.h>

#include "apps/command.h"

namespace fcm::apps {
namespace {

std::string line(const std::string& name, const std::string& about) {
  return fmt::format("  {:<30}{}\n", name, about);
}

std::string about(const Command& command) { return declared(command).flags->about(); }

std::string commands_of(const std::string& group) {
  std::string text;
  for (const Command& command : all_commands()) {
    if (!command.name.starts_with(group + " ")) continue;
    text += line(command.name.substr(group.size() + 1), about(command));
  }
  return text;
}

std::string commands_and_groups() {
  std::string text;
  for (const Command& command : all_commands()) {
    if (command.name.find(' ') == command.name.npos) text += line(command.name, about(command));
  }
  for (const Group& group : all_groups()) text += line(group.name, group.about);
  return text;
}

std::string flags_of_every_command() {
  Flags flags("");
  flags.add_those_of_every_command();
  std::string text;
  for (const FlagFacts& facts : flags.facts()) {
    std::string names;
    for (const std::string& name : facts.names) names = name + (names.empty() ? "" : ",") + names;
    text += line(names, facts.help);
  }
  return text;
}

}  // namespace

std::string usage_of(const std::string& group) {
  if (group.empty()) {
    return fmt::format(
        "Fast masked-image pretraining (Fast ConvMAE) on CPUs and GPUs.\n"
        "Usage: fastconvmae COMMAND [OPTIONS]\n\n"
        "Commands:\n{}\n"
        "Flags of every command:\n{}\n"
        "fastconvmae COMMAND --help lists its flags; any other flag is an error.\n"
        "Exit status: 0 done, 2 usage or recipe, 3 data, 4 checkpoint, 5 loss or gradients stayed\n"
        "non-finite, 6 device or memory, 7 another process was lost, 75 stopped early with a "
        "checkpoint\n(run the same command again).\n",
        commands_and_groups(), flags_of_every_command());
  }
  std::string about_group;
  for (const Group& one : all_groups()) {
    if (one.name == group) about_group = one.about;
  }
  return fmt::format(
      "{0}\n"
      "Usage: fastconvmae {1} COMMAND [OPTIONS]\n\n"
      "Commands:\n{2}\n"
      "fastconvmae {1} COMMAND --help lists its flags.\n",
      about_group, group, commands_of(group));
}

}  // namespace fcm::apps
