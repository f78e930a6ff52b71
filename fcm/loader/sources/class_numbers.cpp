#include "fcm/loader/sources/class_numbers.h"

#include <charconv>
#include <sstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::loader {

std::optional<int32_t> label_from_text(std::string_view text) {
  constexpr int32_t kMostClasses = 100'000;  // each gets a name and, in a classifier, weights
  int32_t label = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (error != std::errc() || end != text.data() + text.size() || label < 0 ||
      label >= kMostClasses || text.front() == '-') {
    return std::nullopt;
  }
  return label;
}

std::vector<std::string> class_names(const std::filesystem::path& folder, int32_t largest) {
  std::vector<std::string> names;
  const auto file = folder / "classes.txt";
  if (std::error_code ignored; std::filesystem::is_regular_file(file, ignored)) {
    std::istringstream lines(read_file(file, ExitCode::kData));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      names.push_back(line);
    }
  }
  const auto wanted = static_cast<size_t>(largest) + 1;
  if (largest >= 0 && names.size() >= wanted) return names;
  names.clear();
  for (int32_t label = 0; label <= largest; ++label) names.push_back(std::to_string(label));
  return names;
}

}  // namespace fcm::loader
