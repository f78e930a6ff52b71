#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "apps/completion.h"

namespace fcm::apps {
namespace {

constexpr const char* kFishFunctions = R"(
# The command before the cursor, "recipe show"; empty if there is none yet.
function __fastconvmae_command
    set -l words (commandline -opc)
    set -e words[1]
    set -l command
    set -l flag
    for word in $words
        if string match -q -- '-*' $word
            set flag
            contains -- $word $__fastconvmae_value_flags; and set flag $word
        else if test -n "$flag"
            contains -- $flag $__fastconvmae_many_flags; or set flag
        else if test -z "$command"
            set command $word
        else if contains -- $command $__fastconvmae_groups
            set command "$command $word"
        else if contains -- $command $__fastconvmae_launchers
            set command $word
        end
    end
    echo $command
end

function __fastconvmae_is
    test (__fastconvmae_command) = "$argv[1]"
end

# Whether a command name is expected: first, or after a command that launches another.
function __fastconvmae_wants_command
    set -l command (__fastconvmae_command)
    test -z "$command"; or contains -- $command $__fastconvmae_launchers
end

complete -c fastconvmae -f
)";

// Quotes text for fish, which needs backslashes before \ and ' within single quotes.
std::string fish_quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') result += '\\';
    result += letter == '\n' ? ' ' : letter;
  }
  return result + "'";
}

// The options -a and -F, -r or -x of `complete` for a flag or argument.
std::string values_of(const FlagFacts& flag) {
  const Candidates candidates = candidates_for(flag);
  std::vector<std::string> words = candidates.words;
  if (candidates.file_follows) {
    return " -x -a '(for name in clip dino; __fish_complete_path (string replace -r \"^[a-z]*=\" "
           "\"\" -- (commandline -ct)) | string replace -r \"^\" \"$name=\"; end)'";
  }
  words.insert(words.begin(), candidates.prefixes.begin(), candidates.prefixes.end());
  std::string text = candidates.files ? " -F" : "";
  if (flag.takes_value) text += candidates.files ? " -r" : " -x";
  std::string list = fmt::format("{}", fmt::join(words, " "));
  if (candidates.folders && !candidates.files) {
    list += (list.empty() ? "" : " ") + std::string("(__fish_complete_directories)");
  }
  if (!list.empty()) text += " -a " + fish_quoted(list);
  return text;
}

std::string lines_of(const CommandFacts& command) {
  const std::string where =
      fmt::format("complete -c fastconvmae -n {}",
                  fish_quoted("__fastconvmae_is " + fish_quoted(command.name)));
  std::string text;
  for (const FlagFacts& flag : command.flags) {
    std::string names;
    for (const std::string& name : flag.names) {
      if (name.starts_with("--")) names += " -l " + name.substr(2);
      if (name.starts_with('-') && !name.starts_with("--")) names += " -s " + name.substr(1);
    }
    const std::string values = flag.takes_value ? values_of(flag) : "";
    if (!names.empty()) text += where + names + values + " -d " + fish_quoted(flag.help) + "\n";
    if (flag.may_be_positional) {
      std::string alone = values_of(flag);
      for (const char* needs_flag : {" -r", " -x"}) {
        if (const size_t at = alone.find(needs_flag); at != alone.npos) alone.erase(at, 3);
      }
      if (!alone.empty()) text += where + alone + "\n";
    }
  }
  return text;
}

}  // namespace

std::string fish_completion() {
  const std::vector<CommandFacts> tree = command_tree();
  std::string groups, launchers;
  for (const CommandFacts& command : tree) {
    if (command.is_group) groups += " " + command.name;
    if (command.runs_another) launchers += " " + command.name;
  }
  std::string text =
      "# fish completion of fastconvmae, written by: fastconvmae completion fish\n\n"
      "set -g __fastconvmae_groups" +
      groups + "\nset -g __fastconvmae_launchers" + launchers + "\n";
  text += fmt::format("set -g __fastconvmae_value_flags {}\n",
                      flags_that(tree, [](const FlagFacts& flag) { return flag.takes_value; }));
  text += fmt::format("set -g __fastconvmae_many_flags {}\n",
                      flags_that(tree, [](const FlagFacts& flag) { return flag.many; }));
  text += kFishFunctions;
  const std::vector<CommandFacts> first = commands_after("");
  for (const CommandFacts& one : first) {
    text += fmt::format("complete -c fastconvmae -n __fastconvmae_wants_command -a {} -d {}\n",
                        one.name, fish_quoted(one.about));
  }
  for (const FlagFacts& flag : first.front().flags) {
    if (!flag.of_every_command) continue;
    std::string names;
    for (const std::string& name : flag.names) {
      names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    text += fmt::format("complete -c fastconvmae -n {}{} -d {}\n",
                        fish_quoted("__fastconvmae_is ''"), names, fish_quoted(flag.help));
  }
  for (const CommandFacts& command : tree) {
    if (!command.is_group) {
      text += "\n" + lines_of(command);
      continue;
    }
    text += "\n";
    for (const CommandFacts& one : commands_after(command.name)) {
      text += fmt::format("complete -c fastconvmae -n {} -a {} -d {}\n",
                          fish_quoted("__fastconvmae_is " + command.name), last_word(one.name),
                          fish_quoted(one.about));
    }
  }
  return text;
}

}  // namespace fcm::apps
