#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "apps/completion.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kZshHead = R"(#compdef fastconvmae
# zsh completion of fastconvmae, written by: fastconvmae completion zsh

# Completes keys of a recipe up to the "=", and after it the values of keys with a fixed set of values.
_fastconvmae_keys() {
  if compset -P '(#b)([^=]#)='; then
    local -a values
    values=(${${(M)_fastconvmae_values:#$match[1]=*}#*=})
    compadd -a values
  else
    compadd -S '' -a _fastconvmae_beginnings
  fi
}

_fastconvmae_teacher() {
  if compset -P '(clip|dino)='; then
    _files
  else
    compadd -S '' clip= dino=
  fi
}

)";

// Quotes text for the shell.
std::string zsh_quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) {
    result += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  }
  return result + "'";
}

// Escapes characters that are special in the descriptions of zsh's _arguments.
std::string described(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') result += '\\';
    result += letter == '\n' ? ' ' : letter;
  }
  return result;
}

// The action in an _arguments specification: how a value is completed.
std::string action_of(const FlagFacts& flag) {
  if (flag.kind == "SECTION.KEY=VALUE") return "_fastconvmae_keys";
  const Candidates candidates = candidates_for(flag);
  if (candidates.file_follows) return "_fastconvmae_teacher";
  const std::string words = fmt::format("{}", fmt::join(candidates.words, " "));
  const char* names = candidates.files ? "_files" : candidates.folders ? "_files -/" : "";
  if (words.empty()) return *names == '\0' ? " " : names;
  if (*names == '\0') return "(" + words + ")";
  return fmt::format("{{compadd {}; {}}}", words, names);
}

std::string value_spec(const FlagFacts& flag) {
  return fmt::format("{}:{}", described(flag.kind), action_of(flag));
}

// The _arguments specifications of a flag, or of an argument, which is specified by its position.
Words specs_of(const FlagFacts& flag, int& argument) {
  Words specs;
  for (const std::string& name : flag.names) {
    if (!name.starts_with('-')) continue;
    std::string others;
    for (const std::string& other : flag.names) others += (others.empty() ? "" : " ") + other;
    const std::string head = flag.repeated ? "*" : "(" + others + ")";
    const bool is_long = name.starts_with("--");
    std::string spec = head + name + (flag.takes_value && is_long && !flag.many ? "=" : "") + "[" +
                       described(flag.help) + "]";
    if (flag.many) {
      spec = "(" + others + ")" + name + "[" + described(flag.help) + "]:*-*:" + value_spec(flag);
    } else if (flag.takes_value) {
      spec += ":" + value_spec(flag);
    }
    specs.push_back(zsh_quoted(spec));
  }
  if (flag.may_be_positional) {
    const std::string place = flag.many ? "*" : fmt::format("{}", ++argument);
    // An argument that can be given by its flag is optional.
    const char* optional = flag.many || flag.names.front().starts_with('-') ? ":" : "";
    specs.push_back(zsh_quoted(flag.many ? "*:" + value_spec(flag)
                                         : place + ":" + optional + value_spec(flag)));
  }
  return specs;
}

std::string list_function(const std::string& name, const std::vector<CommandFacts>& commands) {
  std::string text = fmt::format("{}() {{\n  local -a commands\n  commands=(\n", name);
  for (const CommandFacts& one : commands) {
    text += fmt::format("    {}\n", zsh_quoted(last_word(one.name) + ":" + one.about));
  }
  return text + "  )\n  _describe -t commands command commands\n}\n\n";
}

// The function of one command: its flags and arguments.
std::string function_of(const CommandFacts& command, const std::string& name) {
  Words specs;
  int argument = 0;
  for (const FlagFacts& flag : command.flags) {
    for (const std::string& spec : specs_of(flag, argument)) specs.push_back(spec);
  }
  if (command.runs_another) {
    specs.push_back("'1: :_fastconvmae_commands'");
    specs.push_back("'*:: :->another'");
  }
  std::string text = name + "() {\n";
  if (command.runs_another) {
    text += "  local curcontext=$curcontext state line\n  typeset -A opt_args\n";
  }
  text += fmt::format("  _arguments {} \\\n    {}\n", command.runs_another ? "-S -C" : "-S",
                      fmt::join(specs, " \\\n    "));
  if (command.runs_another) {
    text += "  [[ $state == another ]] && _fastconvmae_behind _fastconvmae \"$line[1]\"\n";
  }
  return text + "}\n\n";
}

std::string function_name(std::string command) {
  for (char& letter : command) letter = letter == ' ' ? '_' : letter;
  return command.empty() ? "_fastconvmae" : "_fastconvmae_" + command;
}

// The function of the program or of a group: completes the next word, then calls the function of
// the command or group that the word names.
std::string group_function(const std::string& name, const std::string& commands) {
  return fmt::format(R"({0}() {{
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C \
    '(- *)'{{-h,--help}}'[Show this help and exit]' \
    '--json[Results as JSON on stdout]' \
    '--quiet[Only warnings and errors on stderr]' \
    '(- *)--version[Show versions and features of this build]' \
    '1: :{1}' '*:: :->another'
  [[ $state == another ]] && _fastconvmae_behind {0} "$line[1]"
}}

)",
                     name, commands);
}

}  // namespace

std::string zsh_completion() {
  std::string text = kZshHead;
  Candidates keys = candidates_for({.names = {"--set"},
                                    .kind = "SECTION.KEY=VALUE",
                                    .takes_value = true,
                                    .help = "",
                                    .value = ""});
  text += fmt::format("typeset -ga _fastconvmae_beginnings=({})\n", fmt::join(keys.prefixes, " "));
  text += fmt::format("typeset -ga _fastconvmae_values=({})\n\n", fmt::join(keys.words, " "));
  text +=
      R"(# Calls the function of the command or group $2 inside $1; _arguments has left its words in $words.
_fastconvmae_behind() {
  curcontext="${curcontext%:*:*}:fastconvmae-$2:"
  (( $+functions[${1}_$2] )) && "${1}_$2"
}

)";
  text += list_function("_fastconvmae_commands", commands_after(""));
  for (const CommandFacts& command : command_tree()) {
    const std::string name = function_name(command.name);
    if (command.is_group) {
      text += list_function(name + "_commands", commands_after(command.name));
      text += group_function(name, name + "_commands");
    } else {
      text += function_of(command, name);
    }
  }
  text += group_function("_fastconvmae", "_fastconvmae_commands");
  return text + "_fastconvmae \"$@\"\n";
}

}  // namespace fcm::apps
