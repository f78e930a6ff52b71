#include "fcm/interop/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::interop {
namespace {

bool is_in_word(char one) {
  return std::isalnum(static_cast<unsigned char>(one)) != 0 || one == '_' || one == '-';
}

// The word around a position; empty: none.
std::string_view word_at(std::string_view text, size_t at) {
  size_t begin = at, end = at;
  while (begin > 0 && is_in_word(text[begin - 1])) --begin;
  while (end < text.size() && is_in_word(text[end])) ++end;
  return text.substr(begin, end - begin);
}

char last_before(std::string_view text, size_t at) {
  while (at > 0 && std::isspace(static_cast<unsigned char>(text[at - 1])) != 0) --at;
  return at == 0 ? '\0' : text[at - 1];
}

// Describes what is wrong at the position where parsing failed.
std::string what_stands_at(std::string_view text, size_t at) {
  if (at >= text.size()) return "the text ends there: it was cut, or a bracket is missing";
  const char one = text[at];
  const std::string word(word_at(text, at));
  if (word == "NaN" || word == "Infinity" || word == "-Infinity" || word == "nan" ||
      word == "inf") {
    return fmt::format("{} is not a JSON number", word);
  }
  if (word == "True" || word == "False" || word == "None") {
    return fmt::format("{} is Python's word; JSON has true, false and null", word);
  }
  const bool comment = one == '/' || one == '#' || (one == '*' && at > 0 && text[at - 1] == '/');
  if (comment) return "JSON has no comments";
  if ((one == '}' || one == ']') && last_before(text, at) == ',') {
    return "there is a trailing comma";
  }
  if (one == '\'') return "JSON has double quotes, \", only";
  constexpr size_t kShown = 20;
  const std::string shown = word.empty() ? std::string(1, one) : word.substr(0, kShown);
  return fmt::format("\"{}\" is not expected there", printable(shown));
}

// Line and column of a position, both counted from 1, columns in bytes.
std::string place_of(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, std::min(at, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, before.size() - start + 1);
}

}  // namespace

JsonFile parse_json_object(const std::string& text, const std::string& file) {
  JsonFile result;
  const std::string name = printable(file);
  try {
    result.object = nlohmann::json::parse(text);
    if (result.object.is_object()) return result;
    result.fault = fmt::format("{} is not a JSON object: it holds {} {}", name,
                               result.object.is_array() ? "an" : "a", result.object.type_name());
  } catch (const nlohmann::json::parse_error& error) {
    const bool wide = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
    const size_t at = error.byte > 0 ? error.byte - 1 : 0;
    result.fault = text.empty() ? fmt::format("{} is not a JSON object: it is empty", name)
                   : wide
                       ? fmt::format("{} is not a JSON object: it is UTF-16, expected UTF-8", name)
                       : fmt::format("{} is not a JSON object: {}: {}", name, place_of(text, at),
                                     what_stands_at(text, at));
  } catch (const nlohmann::json::exception&) {  // a number out of range
    result.fault =
        fmt::format("{} is not a JSON object: it has a number that is out of range", name);
  }
  result.object = nullptr;
  return result;
}

JsonFile read_json_object(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto own = std::filesystem::symlink_status(file, ignored).type();
  if (own == std::filesystem::file_type::not_found) return {};
  if (!std::filesystem::exists(file, ignored) && own == std::filesystem::file_type::symlink) {
    return {nullptr,
            fmt::format("{} is a link to {}, where there is nothing", printable(file.string()),
                        printable(std::filesystem::read_symlink(file, ignored).string()))};
  }
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return {nullptr, fmt::format("{} is not a JSON object: it is not an ordinary file",
                                 printable(file.string()))};
  }
  try {
    return parse_json_object(read_file(file, ExitCode::kCheckpoint), file.string());
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

}  // namespace fcm::interop
