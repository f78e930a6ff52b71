#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <vector>

#include "apps/completion.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

// The script before and after the generated tables.
constexpr const char* kBashHead =
    R"(# bash completion of fastconvmae, written by: fastconvmae completion bash

)";

constexpr const char* kBashFunctions = R"(
# Sets words to the words of the line up to the cursor. Readline splits words at = and :; this joins them again.
_fastconvmae_words() {
  local i piece blanks rest=${COMP_LINE:0:COMP_POINT}
  words=()
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    blanks=${rest%%[![:space:]]*}
    rest=${rest#"$blanks"}
    piece=${COMP_WORDS[i]}
    ((i == COMP_CWORD)) && piece=$rest
    rest=${rest#"$piece"}
    if ((i == 0)); then
      continue
    elif [[ -n $blanks || ${#words[@]} == 0 ]]; then
      words+=("$piece")
    else
      words[${#words[@]} - 1]+=$piece
    fi
  done
}

# Sets command to the command before the cursor, flag to the flag whose value is being typed (to -
# if a flag itself is being typed), argument to the index of the argument, and current to the part
# of the word before the cursor.
_fastconvmae_place() {
  local word i last=$((${#words[@]} - 1))
  for ((i = 0; i < last; ++i)); do
    word=${words[i]}
    if [[ $word == -* ]]; then
      flag=""
      [[ " $_fastconvmae_value_flags " == *" $word "* ]] && flag=$word
    elif [[ -n $flag ]]; then
      [[ " $_fastconvmae_many_flags " == *" $flag "* ]] || flag=""
    elif [[ -z $command || " $_fastconvmae_groups " == *" $command "* ]]; then
      command="${command:+$command }$word"
      argument=0
    elif [[ " $_fastconvmae_launchers " == *" $command "* ]]; then
      command=$word
      argument=0
    else
      ((++argument))
    fi
  done
  current=${words[last]}
  if [[ $current == --*=* ]]; then
    flag=${current%%=*}
    current=${current#*=}
  elif [[ $current == -* ]]; then
    flag="-"
  fi
}

_fastconvmae() {
  local -a words
  local command="" flag="" argument=0 current="" kinds="" list="" more="" word
  _fastconvmae_words
  ((${#words[@]})) || words=("")
  _fastconvmae_place
  COMPREPLY=()
  if [[ $flag == "-" ]]; then
    list=$(_fastconvmae_flags)
  elif [[ -z $flag && ( -z $command || " $_fastconvmae_groups " == *" $command "* ) ]]; then
    list=$(_fastconvmae_commands)
  elif [[ -z $flag && " $_fastconvmae_launchers " == *" $command "* ]]; then
    command=""
    list=$(_fastconvmae_commands)
  else
    _fastconvmae_values
  fi
  if [[ $kinds == *behind* && $current == *=* ]]; then
    list="" more="" kinds=files
    current=${current#*=}
  fi
  [[ -n $more && $current != *=* ]] && list=$more
  local IFS=$' \t\n'
  COMPREPLY=($(compgen -W "$list" -- "$current"))
  IFS=$'\n'
  if [[ $kinds == *files* ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$current"))
  elif [[ $kinds == *folders* ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -d -- "$current"))
  fi
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  # Readline keeps the part before the last = or : and expects only the rest.
  if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
    word=${current%"${current##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
  fi
  return 0
}

complete -F _fastconvmae fastconvmae
)";

std::string joined(const Words& words) { return fmt::format("{}", fmt::join(words, " ")); }

Words flag_names(const CommandFacts& command) {
  Words names;
  for (const FlagFacts& flag : command.flags) {
    for (const std::string& name : flag.names) {
      if (name.starts_with('-')) names.push_back(name);
    }
  }
  return names;
}

// The body of a case in the script, which sets the candidates.
std::string body_of(const Candidates& candidates) {
  std::string body;
  if (!candidates.words.empty()) body += fmt::format(" list='{}'", joined(candidates.words));
  if (!candidates.prefixes.empty()) {
    body += fmt::format(" more='{}'", joined(candidates.prefixes));
  }
  if (candidates.file_follows) body += " kinds=behind";
  if (candidates.files) body += " kinds=files";
  if (candidates.folders && !candidates.files) body += " kinds=folders";
  return body;
}

// Patterns "COMMAND FLAG" and "COMMAND ARGUMENT-INDEX" of the script's case statement, grouped by
// the body of their case.
std::map<std::string, Words> places_by_body(const std::vector<CommandFacts>& tree) {
  std::map<std::string, Words> places;
  for (const CommandFacts& command : tree) {
    int argument = 0;
    for (const FlagFacts& flag : command.flags) {
      const std::string body = body_of(candidates_for(flag));
      Words& same = places[body];
      for (const std::string& name : flag.names) {
        if (name.starts_with('-') && flag.takes_value) {
          same.push_back(fmt::format("\"{} {}\"", command.name, name));
        }
      }
      if (!flag.may_be_positional) continue;
      same.push_back(flag.many ? fmt::format("\"{} \"[0-9]", command.name)
                               : fmt::format("\"{} {}\"", command.name, argument));
      ++argument;
    }
  }
  places.erase("");
  return places;
}

}  // namespace

std::string bash_completion() {
  const std::vector<CommandFacts> tree = command_tree();
  Words groups, launchers;
  for (const CommandFacts& command : tree) {
    if (command.is_group) groups.push_back(command.name);
    if (command.runs_another) launchers.push_back(command.name);
  }
  std::string text = kBashHead;
  text += fmt::format("_fastconvmae_groups='{}'\n", joined(groups));
  text += fmt::format("_fastconvmae_launchers='{}'\n", joined(launchers));
  text += fmt::format("_fastconvmae_value_flags='{}'\n",
                      flags_that(tree, [](const FlagFacts& flag) { return flag.takes_value; }));
  text += fmt::format("_fastconvmae_many_flags='{}'\n",
                      flags_that(tree, [](const FlagFacts& flag) { return flag.many; }));
  text += "\n_fastconvmae_commands() {\n  case $command in\n";
  groups.insert(groups.begin(), "");
  for (const std::string& group : groups) {
    Words names;
    for (const CommandFacts& one : commands_after(group)) names.push_back(last_word(one.name));
    text += fmt::format("    '{}') echo '{}' ;;\n", group, joined(names));
  }
  text += "  esac\n}\n\n_fastconvmae_flags() {\n  case $command in\n";
  for (const CommandFacts& command : tree) {
    if (command.is_group) continue;
    text += fmt::format("    '{}') echo '{}' ;;\n", command.name, joined(flag_names(command)));
  }
  text += "    *) echo '--help --version --json' ;;\n  esac\n}\n\n";
  text += "_fastconvmae_values() {\n  case \"$command ${flag:-$argument}\" in\n";
  for (const auto& [body, places] : places_by_body(tree)) {
    text += fmt::format("    {})\n     {} ;;\n", fmt::join(places, " | "), body);
  }
  return text + "  esac\n}\n" + kBashFunctions;
}

}  // namespace fcm::apps
