#include "fcm/tasks/result_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/new_folders.h"
#include "fcm/formats/json_text.h"
#include "fcm/tasks/output_file.h"
#include "fcm/tasks/run_files.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kNotFinite = "not_finite";

json parsed(const fs::path& file) {
  return json::parse(read_file(file, ExitCode::kUsage), nullptr, /*allow_exceptions=*/false);
}

// Whether a JSON value is a result of this program. Commands that measure accuracy write "top1",
// "mIoU" or "box"; the demonstration writes "knn" and "linprobe".
bool is_result(const json& found) {
  constexpr std::array kMembers{"top1", "mIoU", "box", "linprobe"};
  return found.is_object() &&
         std::any_of(kMembers.begin(), kMembers.end(),
                     [&](const char* member) { return found.contains(member); });
}

// Files that are written next to a result, and the member of the result that names each.
constexpr std::array<std::pair<const char*, const char*>, 4> kBeside{
    {{"confusion.png", "confusion"},
     {"segmentation.png", "pictures"},
     {"detection.png", "pictures"},
     {"detections.json", "detections"}}};

void null_non_finite(json& value, const std::string& name, std::vector<std::string>& names) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    value = nullptr;
    names.push_back(name);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i)
      null_non_finite(value[i], fmt::format("{}.{}", name, i), names);
  } else if (value.is_object()) {
    for (auto& [key, inner] : value.items()) {
      null_non_finite(inner, name.empty() ? key : name + "." + key, names);
    }
  }
}

void write_json(const fs::path& folder, const json& result) {
  write_file_durably(folder / "result.json", formats::json_text(result, 2) + "\n",
                     ExitCode::kUsage);
}

}  // namespace

void replace_non_finite(json& result, Reporter& reporter) {
  std::vector<std::string> names;
  null_non_finite(result, "", names);
  if (names.empty()) return;
  if (result.is_object()) result[kNotFinite] = names;
  reporter.warn(fmt::format("non-finite, so null in the result: {}", fmt::join(names, ", ")));
}

void refuse_foreign_result(const fs::path& folder) {
  if (is_run(folder)) {
    fail(ExitCode::kUsage,
         "--out {} is a run folder, whose result.json belongs to the run; choose another",
         folder.string());
  }
  refuse_impossible_folder(folder);
  const fs::path file = folder / "result.json";
  refuse_link_or_temporary(file);
  for (const auto& [name, member] : kBeside) refuse_link_or_temporary(folder / name);
  const auto is_there = [](const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
  };
  const json found = is_there(file) ? parsed(file) : json::object();
  const bool ours = is_result(found);
  std::optional<fs::path> foreign;
  for (const auto& [name, member] : kBeside) {
    if (is_there(folder / name) && !(ours && found.contains(member))) foreign = folder / name;
  }
  if (is_there(file) && !ours) foreign = file;
  if (!foreign) return;
  fail(ExitCode::kUsage,
       "{} was not written by this program and is not replaced; choose another --out",
       foreign->string());
}

void write_result(const fs::path& folder, const json& result) {
  refuse_foreign_result(folder);
  NewFolders folders(folder, ExitCode::kUsage);
  write_json(folder, result);
  folders.keep();
}

void write_run_result(const fs::path& run, const json& result) { write_json(run, result); }

}  // namespace fcm::tasks
