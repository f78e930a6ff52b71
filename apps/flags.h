// The flags and arguments of one command, each bound to a variable. Only flags.cpp includes CLI11,
// whose headers take seconds to compile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fcm::apps {

constexpr int64_t kMany = int64_t{1} << 40;

// The allowed range of a number, both ends included.
template <typename Number>
struct Between {
  Number low, high;
};

// A handle of a flag that was added. Valid as long as its Flags object.
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}
  Flag required() const;
  Flag excludes(const Flag& other) const;  // not both in one command line
  bool given() const;                      // after Flags::parse
  std::string name() const;

 private:
  CLI::Option* option_;
};

// Facts about a flag, for help, completions and the manual.
struct FlagFacts {
  std::vector<std::string> names;  // "--help", "-h"; "runs": an argument without a flag
  std::string kind;                // the kind of its value, as the help shows it: "N", "jpeg|raw"
  bool takes_value = false;
  bool may_be_positional = false;  // its value may be given without the flag's name
  bool many = false;               // takes all words up to the next flag
  bool repeated = false;           // may be repeated
  bool required = false;
  bool of_every_command = false;
  std::string help;
  std::string value;  // current value of the bound variable
};

class Flags {
 public:
  using Take = std::function<void(const std::string&)>;
  using Show = std::function<std::string()>;

  explicit Flags(const std::string& command);  // its name in help and messages: "recipe show"
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // `about`: one line; `notes`: text below the flags.
  void describe(const std::string& about, const std::string& notes = "");

  // Adds a flag that sets `value`. `names`: "--k"; "data,--data" for a value that may be given
  // without its flag. `kind`: the placeholder of the value in the help. The help shows the initial
  // value of the variable as the default.
  Flag add(const char* names, std::string& value, const char* kind, const char* help);
  Flag add(const char* names, std::filesystem::path& value, const char* kind, const char* help);
  Flag add(const char* names, int64_t& value, Between<int64_t> range, const char* help);
  Flag add(const char* names, std::optional<int64_t>& value, Between<int64_t> range,
           const char* help);
  Flag add(const char* names, double& value, Between<double> range, const char* help);
  Flag add(const char* names, bool& value, const char* help);           // the flag sets true
  Flag add_negative(const char* names, bool& value, const char* help);  // the flag sets false
  Flag add_choice(const char* names, std::string& value, const std::vector<std::string>& choices,
                  const char* help);
  // A flag that takes all words up to the next flag.
  Flag add_words(const char* names, std::vector<std::string>& words, const char* kind,
                 const char* help);
  // A flag that may be repeated and takes one word each time. `take` may throw Error; `show`
  // returns the value as text.
  Flag add_repeated(const char* names, std::vector<std::string>& words, const char* kind,
                    const char* help);
  Flag add_repeated(const char* names, const Take& take, const Show& show, const char* kind,
                    const char* help);
  // For a command that starts another command: puts the first word that is neither a flag nor an
  // argument of this command, and all words after it, into `words`. A "--" before them is dropped.
  // Takes nothing if that first word is an unknown flag. `kind`: the placeholder of these words in
  // the help.
  void take_rest(std::vector<std::string>& words, const std::string& kind);
  // Adds --help, --json, --quiet and --version, which every command has. Call it last.
  void add_those_of_every_command();

  // Parses the words after the command's name. Returns the unknown words, except those that
  // take_rest takes; none if help or the version is requested. If no word is unknown, throws
  // Error(kUsage) for a wrong value or a missing required flag.
  std::vector<std::string> parse(const std::vector<std::string>& words);

  bool wants_help() const;
  bool wants_version() const;
  bool json() const;
  bool quiet() const;

  std::string help() const;
  const std::string& about() const { return about_; }
  const std::string& notes() const { return notes_; }  // the text below the flags
  // The placeholder of take_rest; empty: takes no rest.
  const std::string& rest_kind() const { return rest_kind_; }
  std::vector<FlagFacts> facts() const;

 private:
  Flag add_value(const char* names, const std::string& kind, const char* help, const Take& take,
                 const Show& show);

  std::unique_ptr<CLI::App> app_;
  std::string about_, notes_;
  std::vector<std::string>* rest_ = nullptr;  // of take_rest
  std::string rest_kind_;
};

// Throws Error(kUsage) if one of `flags` was given; the message is the flag's name, then `why`.
void refuse(const std::vector<Flag>& flags, const std::string& why);

}  // namespace fcm::apps
