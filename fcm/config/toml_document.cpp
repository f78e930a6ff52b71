#include "fcm/config/toml_document.h"

#include <algorithm>
#include <stdexcept>

namespace fcm::config::internal {

struct ParserGaveUp : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[noreturn]] static void give_up() { throw ParserGaveUp("the text is not TOML"); }

}  // namespace fcm::config::internal

// In toml++ 3.3.0 some malformed texts ("[[[") fail the library's assertions: by default that
// aborts, and with NDEBUG it is undefined behaviour. Here such a text is an ordinary error.
#undef NDEBUG
#define TOML_ASSERT(holds) ((holds) ? void() : fcm::config::internal::give_up())
#include <toml++/toml.h>

#include "fcm/base/error.h"
#include "fcm/config/fields.h"

#define FCM_TEXT_OF(x) #x
#define FCM_DOTTED(a, b, c) FCM_TEXT_OF(a) "." FCM_TEXT_OF(b) "." FCM_TEXT_OF(c)

namespace fcm::config {
namespace {

Scalar scalar_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  return std::monostate{};
}

Value value_of_node(const toml::node& node) {
  Value value;
  if (const auto* list = node.as_array()) {
    value.is_list = true;
    for (const auto& item : *list) value.items.push_back(scalar_of(item));
  } else {
    value.items.push_back(scalar_of(node));
  }
  return value;
}

std::string shown_scalar(const Scalar& scalar) {
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t>(&scalar)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&scalar)) {
    const std::string text = number_text(*number);
    // A double without a fraction is shown with ".0": an integer key refuses 512.0 but accepts 512.
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  if (const auto* text = std::get_if<std::string>(&scalar)) return quoted_text(*text);
  return "(unsupported TOML type)";
}

// Line (from 1) of the first non-ASCII byte outside comments and one-line strings; 0: none. Such a
// byte is refused before the library sees it, because the library's whitespace test of it is
// undefined behaviour. (TOML allows these bytes in multi-line strings; recipes contain none.)
uint32_t stray_non_ascii_line(std::string_view text) {
  uint32_t line = 1;
  std::string_view end;  // delimiter that ends the current comment or string; empty: neither
  char before = '\n';
  while (!text.empty()) {
    const char c = text.front();
    // A quote inside a bare word does not open a string.
    const bool quote =
        (c == '"' || c == '\'') && std::string_view(" \t\n=[,{").find(before) != text.npos;
    size_t step = 1;
    if (!end.empty() && text.starts_with(end)) {
      step = end.size();
      // The content of a multi-line string may end in up to two quotes.
      while (end.size() == 3 && step < 5 && step < text.size() && text[step] == c) ++step;
      end = {};
    } else if (static_cast<unsigned char>(c) >= 0x80 && (end.empty() || end.size() == 3)) {
      return line;
    } else if (end.empty() && quote) {
      const bool several_lines = text.size() >= 3 && text[1] == c && text[2] == c;
      end = text.substr(0, several_lines ? 3 : 1);
      step = end.size();
    } else if (end.empty() && c == '#') {
      end = "\n";
    } else if (end.starts_with('"') && c == '\\') {
      step = std::min<size_t>(2, text.size());
    }
    line += static_cast<uint32_t>(std::count(text.begin(), text.begin() + step, '\n'));
    before = text[step - 1];
    text.remove_prefix(step);
  }
  return 0;
}

}  // namespace

Document parse_toml(std::string_view text, const std::string& file_name) {
  if (const uint32_t line = stray_non_ascii_line(text); line != 0) {
    fail(ExitCode::kUsage, "{}:{}: non-ASCII character outside comments and one-line strings",
         file_name, line);
  }
  toml::table root;
  try {
    root = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    const std::string_view what = error.description();
    const bool twice = what.find("redefine") != std::string_view::npos;
    fail(ExitCode::kUsage, "{}:{}: {}{}", file_name, error.source().begin.line, what,
         twice ? "; every key and section may be given only once" : "");
  } catch (const internal::ParserGaveUp& error) {
    fail(ExitCode::kUsage, "{}: {}", file_name, error.what());
  }
  Document document;
  for (const auto& [name, node] : root) {
    const std::string name_text(name.str());
    const uint32_t line = node.source().begin.line;
    const toml::table* section = node.as_table();
    if (section == nullptr) {
      document.entries.push_back({"", name_text, value_of_node(node), line});
      continue;
    }
    document.sections.push_back({name_text, line});
    for (const auto& [key, value] : *section) {
      document.entries.push_back(
          {name_text, std::string(key.str()), value_of_node(value), value.source().begin.line});
    }
  }
  const auto by_line = [](const auto& a, const auto& b) { return a.line < b.line; };
  std::stable_sort(document.sections.begin(), document.sections.end(), by_line);
  std::stable_sort(document.entries.begin(), document.entries.end(), by_line);
  return document;
}

std::optional<Value> parse_toml_value(const std::string& text) {
  if (text.find_first_of("\r\n") != std::string::npos) return std::nullopt;
  if (stray_non_ascii_line(text) != 0) return std::nullopt;
  try {
    const toml::table root = toml::parse("value = " + text);
    return value_of_node(*root.get("value"));
  } catch (const toml::parse_error&) {
    return std::nullopt;
  } catch (const internal::ParserGaveUp&) {
    return std::nullopt;
  }
}

std::string shown(const Value& value) {
  std::string text;
  for (const Scalar& item : value.items) {
    text += (text.empty() ? "" : ", ") + shown_scalar(item);
    constexpr size_t kLongest = 80;
    if (text.size() > kLongest) {
      text = text.substr(0, kLongest) + "...";
      break;
    }
  }
  return value.is_list ? "[" + text + "]" : text;
}

const char* toml_library_version() {
  return FCM_DOTTED(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH);
}

}  // namespace fcm::config
