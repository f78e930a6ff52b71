#include "fcm/interop/hub_cache.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool has_folder(const fs::path& folder, const char* name) {
  std::error_code ignored;
  return fs::is_directory(folder / name, ignored);
}

// The revision in refs/main of a model's folder; empty: none.
std::string main_of(const fs::path& model) {
  std::error_code ignored;
  if (!fs::is_regular_file(model / "refs" / "main", ignored)) return {};
  std::string revision = read_file(model / "refs" / "main", ExitCode::kCheckpoint);
  while (!revision.empty() && revision.back() <= ' ') revision.pop_back();
  const bool plain = revision.find_first_of(std::string_view("/\0", 2)) == revision.npos;
  return plain && !revision.starts_with('.') ? revision : std::string();
}

fs::path snapshot_of(const fs::path& model) {
  const fs::path snapshots = model / "snapshots";
  const std::vector<std::string> all = folders_in(snapshots);
  const std::string revision = main_of(model);
  if (std::find(all.begin(), all.end(), revision) != all.end()) return snapshots / revision;
  if (all.size() == 1) return snapshots / all.front();
  if (all.empty()) {
    fail(ExitCode::kCheckpoint,
         "{} is a model of the Hugging Face cache without a snapshot: "
         "download it again",
         model.string());
  }
  fail(ExitCode::kCheckpoint,
       "{} is a model of the Hugging Face cache with {} snapshots: name one, {}/snapshots/ and one "
       "of {}",
       model.string(), all.size(), model.string(), fmt::join(all, ", "));
}

[[noreturn]] void refuse_whole_cache(const fs::path& cache, std::vector<std::string> models) {
  constexpr size_t kShown = 6;
  const size_t count = models.size();
  if (count > kShown) models.resize(kShown);
  fail(ExitCode::kCheckpoint,
       "{} is a Hugging Face cache of {} models: name one of its folders: {}{}", cache.string(),
       count, fmt::join(models, ", "), count > kShown ? ", ..." : "");
}

}  // namespace

std::optional<fs::path> snapshot_in(const fs::path& folder) {
  const bool is_model = has_folder(folder, "snapshots") &&
                        (has_folder(folder, "blobs") || has_folder(folder, "refs"));
  if (is_model) return snapshot_of(folder);
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  if (plain.filename() == "snapshots" && has_folder(plain / "..", "blobs")) {
    return snapshot_of(plain.parent_path());
  }
  if (has_folder(folder, "hub")) return snapshot_in(folder / "hub");  // `folder` is HF_HOME
  std::vector<std::string> models = folders_in(folder);
  std::erase_if(models, [](const std::string& name) { return !name.starts_with("models--"); });
  if (!models.empty()) refuse_whole_cache(folder, models);
  return std::nullopt;
}

}  // namespace fcm::interop
