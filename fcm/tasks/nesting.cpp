#include "fcm/tasks/nesting.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

// `path` relative to `folder` ("." is the folder itself); nullopt if it is not inside.
std::optional<fs::path> inside(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(fs::absolute(path), error);
  const fs::path real_folder = fs::weakly_canonical(fs::absolute(folder), error);
  fs::path rest = real.lexically_relative(real_folder);
  if (error || rest.empty() || *rest.begin() == "..") return std::nullopt;
  return rest;
}

// Whether the loader would list images below `place`, a path relative to the data folder `folder`.
// If the data set's images are in folders of splits, the loader lists only these folders.
bool is_listed(const fs::path& place, const fs::path& folder, const loader::Dataset& dataset) {
  const fs::path first = dataset.size() > 0 ? dataset.name(0) : "";
  std::error_code ignored;
  if (!fs::is_regular_file(first, ignored)) return false;  // shards or records: not listed
  const std::optional<fs::path> image = inside(first, folder);
  if (!image) return true;
  const loader::SplitFolders splits = loader::split_folders_in(folder);
  const auto is_split = [&](const fs::path& name) {
    return splits.any() && (name == splits.train || name == splits.val);
  };
  return !is_split(*image->begin()) || is_split(*place.begin());
}

}  // namespace

void refuse_nested(const fs::path& out, const std::string& data, const loader::Dataset& dataset,
                   Reporter& reporter) {
  std::error_code error;
  if (!fs::exists(data, error)) return;  // "synthetic", a range of shards
  if (const auto place = inside(out, data); place && fs::is_directory(data, error)) {
    if (is_listed(*place, data, dataset)) {
      fail(ExitCode::kUsage,
           "--out {} is inside --data {}, where the images of the output would become a class of "
           "the data; choose another --out",
           out.string(), data);
    }
    reporter.warn(fmt::format(
        "--out {} is inside --data {}; the images of the output will not be used as data",
        out.string(), data));
    return;
  }
  const std::optional<fs::path> place = inside(data, out);
  if (!place) return;
  constexpr std::array kOurs = {"checkpoints", "best", "events", "pictures"};
  if (std::find(kOurs.begin(), kOurs.end(), place->begin()->string()) != kOurs.end()) {
    fail(ExitCode::kUsage,
         "--data {} is inside --out {}, where a run keeps its {}; choose another --out", data,
         out.string(), place->begin()->string());
  }
  reporter.warn(
      fmt::format("--data {} is inside --out {}; the run writes next to it", data, out.string()));
}

}  // namespace fcm::tasks
