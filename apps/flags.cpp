#include "apps/flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kOfEveryCommand = "Flags of every command";

// The name to use in messages: the last of `names`, for example "--data" of "data,--data".
std::string name_among(const std::string& names) { return names.substr(names.rfind(',') + 1); }

template <typename Number>
Number number_of(const std::string& name, const std::string& word, Between<Number> range) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool whole = error == std::errc() && end == word.data() + word.size();
  if (!whole || !(value >= range.low && value <= range.high)) {
    fail(ExitCode::kUsage, "{}: \"{}\" is not a {}number from {} to {}", name, word,
         std::is_integral_v<Number> ? "whole " : "", range.low, range.high);
  }
  return value;
}

// The message for a parse error. Where CLI11's wording is unclear, this is our own.
std::string sentence(const CLI::ParseError& error, const Words& words) {
  // This error means that the last flag has no value; add_value checks for repeated flags.
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return fmt::format("{}: its value is missing", words.back());
  }
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
    text.replace(text.find(" excludes "), std::string(" excludes ").size(), " and ");
    text += " exclude each other";
  }
  return text;
}

// CLI11's layout with two changes: a value that may be given without its flag is described only
// once, and excluded options are sorted by name (CLI11 sorts them by address).
class Layout final : public CLI::Formatter {
 public:
  Layout() {
    column_width(32);
    label("Positionals", "Arguments");
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    if (is_positional || !option->get_positional()) {
      return CLI::Formatter::make_option(option, is_positional);
    }
    std::stringstream text;
    CLI::detail::format_help(text, make_option_name(option, false) + " " + option->get_type_name(),
                             "The same, as a flag", column_width_);
    return text.str();
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_items_expected_max() > 0) {
      text += " " + option->get_type_name();
      if (!option->get_default_str().empty()) text += "=" + option->get_default_str();
      if (option->get_items_expected_max() > 1) text += " ...";
    }
    if (option->get_required()) text += " REQUIRED";
    std::set<std::string> others;
    for (const CLI::Option* other : option->get_excludes()) others.insert(other->get_name());
    if (!others.empty()) text += fmt::format(" Excludes: {}", fmt::join(others, " "));
    return text;
  }
};

}  // namespace

Flag Flag::required() const {
  option_->required();
  return *this;
}

Flag Flag::excludes(const Flag& other) const {
  option_->excludes(other.option_);
  return *this;
}

bool Flag::given() const { return option_->count() > 0; }

std::string Flag::name() const { return option_->get_name(); }

Flags::Flags(const std::string& command)
    : app_(std::make_unique<CLI::App>("", "fastconvmae " + command)) {
  app_->formatter(std::make_shared<Layout>());
  app_->set_help_flag();  // --help is added like the other flags
  app_->allow_extras();   // parse() returns them
}

Flags::~Flags() = default;

void Flags::describe(const std::string& about, const std::string& notes) {
  about_ = about;
  notes_ = notes;
  app_->description(about);
  app_->footer(notes);
}

Flag Flags::add_value(const char* names, const std::string& kind, const char* help,
                      const Take& take, const Show& show) {
  const std::string name = name_among(names);
  const auto take_one = [name, take](const CLI::results_t& words) {
    if (words.size() > 1) {
      fail(ExitCode::kUsage, "{} is given {} times; give it once", name, words.size());
    }
    take(words.front());
    return true;
  };
  CLI::Option* option = app_->add_option(names, take_one, help, /*defaulted=*/true, show);
  option->type_name(kind)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return Flag(option);
}

Flag Flags::add(const char* names, std::string& value, const char* kind, const char* help) {
  return add_value(
      names, kind, help, [&value](const std::string& word) { value = word; },
      [&value] { return value; });
}

Flag Flags::add(const char* names, std::filesystem::path& value, const char* kind,
                const char* help) {
  const std::string name = name_among(names);
  return add_value(
      names, kind, help,
      [&value, name](const std::string& word) {
        if (word.empty()) {
          fail(ExitCode::kUsage,
               "{}: the path is empty; if a script passes a variable, it is not set", name);
        }
        value = word;
      },
      [&value] { return value.string(); });
}

Flag Flags::add(const char* names, int64_t& value, Between<int64_t> range, const char* help) {
  const std::string name = name_among(names);
  return add_value(
      names, "N", help,
      [&value, name, range](const std::string& word) { value = number_of(name, word, range); },
      [&value] { return fmt::format("{}", value); });
}

Flag Flags::add(const char* names, std::optional<int64_t>& value, Between<int64_t> range,
                const char* help) {
  const std::string name = name_among(names);
  return add_value(
      names, "N", help,
      [&value, name, range](const std::string& word) { value = number_of(name, word, range); },
      [&value] { return value ? fmt::format("{}", *value) : ""; });
}

Flag Flags::add(const char* names, double& value, Between<double> range, const char* help) {
  const std::string name = name_among(names);
  return add_value(
      names, "N", help,
      [&value, name, range](const std::string& word) { value = number_of(name, word, range); },
      [&value] { return fmt::format("{}", value); });
}

Flag Flags::add(const char* names, bool& value, const char* help) {
  return Flag(app_->add_flag_callback(
                      names, [&value] { value = true; }, help)
                  ->default_function([&value] { return fmt::format("{}", value); }));
}

Flag Flags::add_negative(const char* names, bool& value, const char* help) {
  return Flag(app_->add_flag_callback(
                      names, [&value] { value = false; }, help)
                  ->default_function([&value] { return fmt::format("{}", value); }));
}

Flag Flags::add_choice(const char* names, std::string& value, const Words& choices,
                       const char* help) {
  const std::string name = name_among(names);
  return add_value(
      names, fmt::format("{}", fmt::join(choices, "|")), help,
      [&value, name, choices](const std::string& word) {
        if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
          fail(ExitCode::kUsage, "{}: \"{}\" is not one of {}", name, word,
               fmt::join(choices, ", "));
        }
        value = word;
      },
      [&value] { return value; });
}

Flag Flags::add_words(const char* names, Words& words, const char* kind, const char* help) {
  const auto take = [&words](const CLI::results_t& given) {
    words = given;
    return true;
  };
  const auto show = [&words] { return fmt::format("{}", fmt::join(words, " ")); };
  CLI::Option* option = app_->add_option(names, take, help, /*defaulted=*/true, show);
  option->type_name(kind)->expected(CLI::detail::expected_max_vector_size);
  return Flag(option);
}

Flag Flags::add_repeated(const char* names, Words& words, const char* kind, const char* help) {
  const Flag flag = add_words(names, words, kind, help);
  app_->get_option(names)->allow_extra_args(false);
  return flag;
}

Flag Flags::add_repeated(const char* names, const Take& take, const Show& show, const char* kind,
                         const char* help) {
  const auto take_all = [take](const CLI::results_t& given) {
    for (const std::string& word : given) take(word);
    return true;
  };
  CLI::Option* option = app_->add_option(names, take_all, help, /*defaulted=*/true, show);
  option->type_name(kind)->expected(CLI::detail::expected_max_vector_size)->allow_extra_args(false);
  return Flag(option);
}

void Flags::take_rest(Words& words, const std::string& kind) {
  rest_ = &words;
  rest_kind_ = kind;
  app_->prefix_command();
}

void Flags::add_those_of_every_command() {
  const auto add_one = [&](const char* names, const char* help) {
    app_->add_flag(names)->description(help)->group(kOfEveryCommand);
  };
  add_one("-h,--help", "Show this help and exit");
  add_one("--json", "Results as JSON on stdout");
  add_one("--quiet", "Only warnings and errors on stderr");
  add_one("--version", "Show versions and features of this build; with --json as JSON");
}

Words Flags::parse(const Words& words) {
  std::string fault;
  try {
    app_->parse(Words(words.rbegin(), words.rend()));  // CLI11 expects them reversed
  } catch (const CLI::ParseError& error) {
    fault = sentence(error, words);
  } catch (const Error& error) {
    fault = error.what();
  }
  if (wants_help() || wants_version()) return {};
  // A mistyped required flag is also reported as missing, so unknown words are reported first.
  Words left = app_->remaining();
  if (rest_ != nullptr &&
      (left.empty() || left.front() == "--" || !left.front().starts_with('-'))) {
    if (!left.empty() && left.front() == "--") left.erase(left.begin());
    *rest_ = std::exchange(left, {});
  }
  if (left.empty() && !fault.empty()) {
    fail(ExitCode::kUsage, "{}; see {} --help", fault, app_->get_name());
  }
  return left;
}

bool Flags::wants_help() const { return app_->count("--help") > 0; }
bool Flags::wants_version() const { return app_->count("--version") > 0; }
bool Flags::json() const { return app_->count("--json") > 0; }
bool Flags::quiet() const { return app_->count("--quiet") > 0; }

std::string Flags::help() const {
  std::string text = app_->help();
  if (rest_ != nullptr) {  // CLI11 does not show the rest
    const std::string options = "[OPTIONS]";
    text.insert(text.find(options) + options.size(), " [--] " + rest_kind_);
  }
  for (size_t at; (at = text.find("\n\n\n")) != text.npos;) text.erase(at, 1);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

std::vector<FlagFacts> Flags::facts() const {
  std::vector<FlagFacts> all;
  for (CLI::Option* option : app_->get_options(nullptr)) {
    FlagFacts facts;
    for (const std::string& name : option->get_lnames()) facts.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) facts.names.push_back("-" + name);
    if (facts.names.empty()) facts.names.push_back(option->get_name());
    facts.kind = option->get_type_name();
    facts.takes_value = option->get_items_expected_max() > 0;
    facts.may_be_positional = option->get_positional();
    facts.repeated = option->get_items_expected_max() > 1;
    facts.many = facts.repeated && option->get_allow_extra_args();
    facts.required = option->get_required();
    facts.of_every_command = option->get_group() == kOfEveryCommand;
    facts.help = option->get_description();
    facts.value = option->capture_default_str()->get_default_str();
    all.push_back(facts);
  }
  return all;
}

void refuse(const std::vector<Flag>& flags, const std::string& why) {
  for (const Flag& flag : flags) {
    if (flag.given()) fail(ExitCode::kUsage, "{} {}", flag.name(), why);
  }
}

}  // namespace fcm::apps
