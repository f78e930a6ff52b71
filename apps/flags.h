// The flags and arguments of one command, each bound to the variable that takes its value. Only
// flags.cpp includes CLI11, whose headers alone take seconds to compile.
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

// Allowed values of a number, ends included.
template <typename Number>
struct Between {
  Number low, high;
};

// A flag that was added. Valid as long as the Flags that it was added to.
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}
  Flag required() const;
  Flag excludes(const Flag& other) const;  // the two may not stand in one command line
  bool given() const;                      // after Flags::parse
  std::string name() const;

 private:
  CLI::Option* option_;
};

// What is known of a flag.
struct FlagFacts {
  std::vector<std::string> names;  // "--help", "-h"; "runs": an argument without a flag
  std::string kind;                // of its value, as the help shows it: "N", "jpeg|raw"
  bool takes_value = false;
  bool stands_alone = false;  // its value may stand without the flag, or has none
  bool many = false;          // all words up to the next flag
  bool repeated = false;      // may be given again and again
  bool required = false;
  bool of_every_command = false;
  std::string help;
  std::string value;  // of the bound variable, now
};

class Flags {
 public:
  using Take = std::function<void(const std::string&)>;
  using Show = std::function<std::string()>;

  explicit Flags(const std::string& command);  // its name in help and messages: "recipe show"
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // What the command does, in one line; and what stands below its flags.
  void describe(const std::string& about, const std::string& notes = "");

  // `names`: "--k"; "data,--data" for a value that may stand without its flag. `kind`: what stands
  // for the value in the help. The help shows the variable's value as the default, if it has one.
  Flag add(const char* names, std::string& value, const char* kind, const char* help);
  Flag add(const char* names, std::filesystem::path& value, const char* kind, const char* help);
  Flag add(const char* names, int64_t& value, Between<int64_t> range, const char* help);
  Flag add(const char* names, std::optional<int64_t>& value, Between<int64_t> range,
           const char* help);
  Flag add(const char* names, double& value, Between<double> range, const char* help);
  Flag add(const char* names, bool& value, const char* help);           // given: true
  Flag add_negative(const char* names, bool& value, const char* help);  // given: false
  Flag add_choice(const char* names, std::string& value, const std::vector<std::string>& choices,
                  const char* help);
  // All words up to the next flag.
  Flag add_words(const char* names, std::vector<std::string>& words, const char* kind,
                 const char* help);
  // One word each time that it is given. `take` may throw Error; `show` is its value as text.
  Flag add_repeated(const char* names, std::vector<std::string>& words, const char* kind,
                    const char* help);
  Flag add_repeated(const char* names, const Take& take, const Show& show, const char* kind,
                    const char* help);
  // Everything from the first word on that is none of the command's flags: another command with
  // flags of its own. "--" may stand before it. `kind`: what stands for it in the help.
  void take_rest(std::vector<std::string>& words, const std::string& kind);
  // --help, --json, --quiet and --version, which every command has; behind all others.
  void add_those_of_every_command();

  // Reads what stands behind the command's name. Returns the words that are none of its flags or
  // arguments, from the first on. Throws Error(kUsage) where there are no such words, and a value
  // is wrong or something required is missing.
  std::vector<std::string> parse(const std::vector<std::string>& words);

  bool wants_help() const;
  bool wants_version() const;
  bool json() const;
  bool quiet() const;

  std::string help() const;
  const std::string& about() const { return about_; }
  const std::string& notes() const { return notes_; }  // below the flags
  // What stands for the words of another command behind this one's; empty: none may.
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

// Throws Error(kUsage) where one of `flags` was given: "--resume ...", and `why`.
void refuse(const std::vector<Flag>& flags, const std::string& why);

}  // namespace fcm::apps
