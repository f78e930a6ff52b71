#include "fcm/loader/sources/map_classes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/class_names.h"
#include "fcm/loader/sources/labels.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

std::string_view without_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream rest(line);
  for (std::string field; std::getline(rest, field, '\t');) {
    fields.emplace_back(without_blanks(field));
  }
  return fields;
}

MapClasses from_object_info(const fs::path& file) {
  std::istringstream lines(read_file(file, ExitCode::kData));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> heading = fields_of(line);
  const auto column = static_cast<size_t>(std::ranges::find(heading, "Name") - heading.begin());
  if (column == heading.size()) {
    fail(ExitCode::kData, "{} has no tab-separated column Name in its first line", file.string());
  }
  MapClasses classes;
  while (std::getline(lines, line)) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.empty()) continue;
    const std::string_view name =
        column < fields.size() ? std::string_view(fields[column]) : std::string_view();
    const std::string_view first = without_blanks(name.substr(0, name.find_first_of(",;")));
    if (first.empty()) {
      fail(ExitCode::kData, "{} has no name in row {}", file.string(), classes.names.size() + 1);
    }
    classes.names.emplace_back(first);
  }
  return classes;
}

MapClasses from_json(const fs::path& file) {
  const nlohmann::json json =
      nlohmann::json::parse(read_file(file, ExitCode::kData), nullptr, /*allow_exceptions=*/false);
  try {
    MapClasses classes;
    if (json.is_array()) {
      classes.names = json.get<Names>();
      return classes;
    }
    classes.names = json.at("names").get<Names>();
    for (const char* key : {"colours", "colors", "palette"}) {
      if (!json.contains(key)) continue;
      classes.colours = json.at(key).get<std::vector<std::array<uint8_t, 3>>>();
      break;
    }
    if (!classes.colours.empty() && classes.colours.size() != classes.names.size()) {
      fail(ExitCode::kData, "{} has {} colours for {} names", file.string(), classes.colours.size(),
           classes.names.size());
    }
    return classes;
  } catch (const nlohmann::json::exception&) {
    fail(ExitCode::kData,
         "{} is not a list of names or {{\"names\": [...], \"colours\": [[r, g, b], ...]}}",
         file.string());
  }
}

MapClasses from_lines(const fs::path& file) { return {lines_of_names(file), {}}; }

struct NamesForm {
  const char* name;
  MapClasses (*read)(const fs::path&);
};
constexpr NamesForm kForms[] = {{"objectInfo150.txt", from_object_info},
                                {"classes.json", from_json},
                                {"classes.txt", from_lines}};

// Warns about files of names that exist but are not read, because an earlier form exists.
void warn_of_other_names(const fs::path& folder, std::string_view read, Remarks& remarks) {
  std::vector<std::string> others;
  bool is_after = false;
  for (const NamesForm& form : kForms) {
    std::error_code ignored;
    if (is_after && fs::is_regular_file(folder / form.name, ignored)) others.push_back(form.name);
    is_after |= form.name == read;
  }
  if (others.empty()) return;
  remarks.warnings.push_back(fmt::format(
      "the class names are those of {}; {} beside it is not read", read, some_of(others)));
}

}  // namespace

MapClasses read_map_classes(const fs::path& folder, Remarks& remarks) {
  constexpr size_t kMostNames = 255;  // maps have 8 bits
  for (const NamesForm& form : kForms) {
    const fs::path file = folder / form.name;
    if (std::error_code ignored; !fs::is_regular_file(file, ignored)) continue;
    try {
      MapClasses classes = form.read(file);
      if (classes.names.empty() || classes.names.size() > kMostNames) {
        fail(ExitCode::kData, "{} has {} class names, expected 1 to {}", file.string(),
             classes.names.size(), kMostNames);
      }
      warn_of_other_names(folder, form.name, remarks);
      name_blank_classes(classes.names, file.string(), remarks);
      warn_of_alike_classes(classes.names, file.string(), remarks);
      return classes;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      remarks.notes.push_back(fmt::format("{}: the classes of maps have no names", error.what()));
      return {};
    }
  }
  return {};
}

}  // namespace fcm::loader
