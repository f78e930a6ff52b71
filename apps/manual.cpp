#include "apps/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "apps/completion.h"
#include "apps/version.h"

namespace fcm::apps {
namespace {

// Escapes text for troff: hyphens stay ASCII hyphens that can be copied, and no line starts with a
// troff request.
std::string roff(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\') {
      result += "\\e";
    } else if (letter == '-') {
      result += "\\-";
    } else if (letter == '~' || letter == '^') {
      result += letter == '~' ? "\\(ti" : "\\(ha";
    } else if ((letter == '.' || letter == '\'') && (result.empty() || result.ends_with('\n'))) {
      result += std::string("\\&") + letter;
    } else {
      result += letter;
    }
  }
  return result;
}

std::string page_name(const std::string& command) {
  std::string name = "fastconvmae" + std::string(command.empty() ? "" : "-") + command;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string head(const std::string& command, const std::string& about) {
  std::string title = page_name(command);
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return fmt::format(".TH {} 1 \"\" \"fastconvmae {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n",
                     roff(title), roff(version_facts().at("version").get<std::string>()),
                     roff(page_name(command)), roff(about));
}

// The notes as troff paragraphs; lines indented by two blanks are kept as they are.
std::string paragraphs(const std::string& notes) {
  std::string text;
  bool as_typed = false;
  std::istringstream lines(notes);
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with("  ");
    if (indented != as_typed) text += indented ? ".PP\n.nf\n" : ".fi\n.PP\n";
    if (!indented && !as_typed) text += ".PP\n";
    as_typed = indented;
    text += roff(indented ? line.substr(2) : line) + "\n";
  }
  return text + (as_typed ? ".fi\n" : "");
}

std::string flag_entry(const FlagFacts& flag) {
  std::string names;
  for (const std::string& name : flag.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", roff(name));
  }
  if (flag.takes_value && !flag.kind.empty() && flag.kind != flag.names.front()) {
    names += fmt::format(" \\fI{}\\fR{}", roff(flag.kind), flag.many ? " ..." : "");
  }
  std::string help = flag.help;
  if (flag.may_be_positional && flag.names.front().starts_with('-')) {
    help += "; the flag's name may be left out";
  }
  if (flag.required) help += "; required";
  if (!flag.value.empty() && flag.takes_value) help += fmt::format("; default: {}", flag.value);
  return fmt::format(".TP\n{}\n{}.\n", names, roff(help));
}

std::string options_of(const CommandFacts& command) {
  std::string own, shared;
  for (const FlagFacts& flag : command.flags) {
    (flag.of_every_command ? shared : own) += flag_entry(flag);
  }
  std::string text = own.empty() ? "" : ".SH OPTIONS\n" + own;
  return text + ".SH OPTIONS OF EVERY COMMAND\n" + shared;
}

std::string synopsis_of(const CommandFacts& command) {
  std::string text = fmt::format(".SH SYNOPSIS\n\\fBfastconvmae {}\\fR", roff(command.name));
  for (const FlagFacts& flag : command.flags) {
    const bool has_flag = flag.names.front().starts_with('-');
    if (!flag.required && has_flag) continue;
    const std::string kind = roff(flag.kind) + (flag.many ? " ..." : "");
    std::string part = has_flag && !flag.may_be_positional
                           ? fmt::format("\\fB{}\\fR \\fI{}\\fR", roff(flag.names.front()), kind)
                           : fmt::format("\\fI{}\\fR", kind);
    text += flag.required ? " " + part : " [" + part + "]";
  }
  return text + " [\\fIOPTIONS\\fR]\n";
}

std::string exit_status() {
  const std::vector<std::pair<const char*, const char*>> codes = {
      {"0", "Done"},
      {"1", "A bug in the program; please report it"},
      {"2", "Command line or recipe; the result cannot be written to stdout"},
      {"3", "Images or data set"},
      {"4", "A checkpoint cannot be read or written"},
      {"5", "Loss or gradients stayed non-finite; features that are NaN or infinite"},
      {"6", "Device, memory, or a limit on threads or open files"},
      {"7", "Another process of the run was lost"},
      {"75", "Stopped early with a checkpoint: the same command resumes it"},
      {"128+N", "Ended by signal N"}};
  std::string text = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : codes) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", code, roff(meaning));
  }
  return text;
}

std::string program_page() {
  std::string text =
      head("", "fast masked-image pretraining (Fast ConvMAE) on CPUs and GPUs") +
      ".SH SYNOPSIS\n\\fBfastconvmae\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n";
  text += roff(
      "Pretrains image encoders by reconstructing hidden patches, "
      "fine-tunes them as classifiers, segmenters and detectors, and measures them. "
      "Every command has its own page; --help lists its flags.\n");
  text += ".SH COMMANDS\n";
  for (const CommandFacts& command : command_tree()) {
    if (command.is_group) continue;
    text += fmt::format(".TP\n\\fB{}\\fR(1)\n{}.\n", roff(page_name(command.name)),
                        roff(command.about.substr(0, command.about.find('\n'))));
  }
  return text + exit_status();
}

std::string command_page(const CommandFacts& command) {
  const std::string about = command.about.substr(0, command.about.find('\n'));
  std::string text = head(command.name, about);
  text += synopsis_of(command) + ".SH DESCRIPTION\n" + roff(about) + ".\n";
  text += options_of(command);
  if (!command.notes.empty()) text += ".SH NOTES\n" + paragraphs(command.notes);
  return text + ".SH SEE ALSO\n\\fBfastconvmae\\fR(1), which lists the exit status too.\n";
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  std::vector<ManualPage> pages = {{page_name("") + ".1", program_page()}};
  for (const CommandFacts& command : command_tree()) {
    if (command.is_group) continue;
    pages.push_back({page_name(command.name) + ".1", command_page(command)});
  }
  return pages;
}

}  // namespace fcm::apps
