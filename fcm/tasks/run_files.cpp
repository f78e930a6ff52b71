#include "fcm/tasks/run_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/system_call.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/run_lock.h"
#include "fcm/train/event_writer.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFailpoints = "run";  // the name of the failpoints of this file
constexpr const char* kMark = ".fastconvmae-run";
constexpr const char* kMarkText =
    "A run of fastconvmae. While this file is here, --overwrite may replace what fastconvmae wrote "
    "in "
    "this folder.\n";
constexpr const char* kRecipe = "recipe.toml";
constexpr const char* kLog = "log.jsonl";
constexpr std::array kClaims = {"result.json", "report.html", "confusion.png"};
constexpr std::array kCheckpointFolders = {"checkpoints", "best"};
constexpr std::array kOtherFolders = {"events", "pictures"};

// The type of the path itself, without following a link; file_type::none if it is unknown.
fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type();
}

[[noreturn]] void fail_to_remove(const fs::path& path) {
  fail(ExitCode::kUsage,
       "cannot remove {}: {}; fix that and repeat the command, which then removes the "
       "rest",
       path.string(), std::strerror(errno));
}

// Removes a file, and the .tmp file of an interrupted write. Keeps a folder of that name, which is
// not this program's.
void remove_file(const fs::path& path) {
  for (const fs::path& file : {path, fs::path(path.string() + ".tmp")}) {
    const fs::file_type type = type_of(file);
    if (type == fs::file_type::not_found || type == fs::file_type::directory) continue;
    if (system_call::unlink(kFailpoints, file) != 0) fail_to_remove(file);
  }
}

void remove_if_empty(const fs::path& folder) {
  const bool removed = system_call::rmdir(kFailpoints, folder) == 0;
  if (!removed && errno != ENOTEMPTY && errno != EEXIST) fail_to_remove(folder);
}

// Whether there is a folder. A link in its place is removed, with a warning.
bool is_own_folder(const fs::path& folder, Reporter& reporter) {
  const fs::file_type type = type_of(folder);
  if (type != fs::file_type::symlink) return type == fs::file_type::directory;
  std::error_code ignored;
  const fs::path target = fs::read_symlink(folder, ignored);
  if (system_call::unlink(kFailpoints, folder) != 0) fail_to_remove(folder);
  reporter.warn(fmt::format("{} was a link to {}: the link is removed, its target stays",
                            folder.string(), target.string()));
  return false;
}

void remove_files(const fs::path& folder, const std::function<bool(const std::string&)>& is_ours) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_ours(entry->path().filename())) files.push_back(entry->path());
  }
  if (error) fail(ExitCode::kUsage, "cannot list {}: {}", folder.string(), error.message());
  for (const fs::path& file : files) remove_file(file);
  remove_if_empty(folder);
}

// Whether image_name() makes such a name; .tmp may be appended.
bool is_image(const std::string& name) {
  std::string_view rest = name;
  if (rest.ends_with(".tmp")) rest.remove_suffix(4);
  if (!rest.starts_with("step-") || !rest.ends_with(".png")) return false;
  rest.remove_prefix(5);
  rest.remove_suffix(4);
  return rest.size() >= 8 &&
         std::all_of(rest.begin(), rest.end(), [](char one) { return one >= '0' && one <= '9'; });
}

// Whether this program wrote the recipe. Other programs also have a recipe.toml.
bool is_own_recipe(const fs::path& file) try {
  recipe::read_stored_recipe(read_file(file, ExitCode::kUsage), file.string());
  return true;
} catch (const Error&) {
  return false;
}

bool is_empty_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error) && !error;
}

}  // namespace

std::string image_name(int64_t step) { return fmt::format("step-{:08}.png", step); }

bool is_run(const fs::path& folder) {
  const auto is_file = [&](const char* name) {
    std::error_code ignored;
    return fs::is_regular_file(folder / name, ignored);
  };
  if (is_file(kMark)) return true;
  std::error_code ignored;
  const bool named_so =
      is_file(kRecipe) && is_file(kLog) && fs::is_directory(folder / "checkpoints", ignored);
  return named_so && is_own_recipe(folder / kRecipe);
}

std::optional<std::string> name_in_the_way(const fs::path& folder) {
  std::vector<std::string> names = {kRecipe, kLog};
  names.insert(names.end(), kCheckpointFolders.begin(), kCheckpointFolders.end());
  names.insert(names.end(), kOtherFolders.begin(), kOtherFolders.end());
  names.insert(names.end(), kClaims.begin(), kClaims.end());
  for (const char* file : {kRecipe, kLog, kClaims[0], kClaims[1], kClaims[2]}) {
    names.push_back(std::string(file) + ".tmp");
  }
  for (const std::string& name : names) {
    const bool absent = type_of(folder / name) == fs::file_type::not_found;
    if (!absent && !is_empty_folder(folder / name)) return name;
  }
  return std::nullopt;
}

void mark_as_run(const fs::path& folder) {
  write_file_durably(folder / kMark, kMarkText, ExitCode::kUsage, kFailpoints);
}

namespace {

// Throws Error(kUsage) if a step-N was not written by this program. Call it before anything is
// removed. Does not follow a link in place of the folder, because only the link is removed later.
void refuse_foreign_steps(const fs::path& checkpoints) {
  if (type_of(checkpoints) != fs::file_type::directory) return;
  if (const auto foreign = checkpoint::first_foreign_step(checkpoints)) {
    fail(
        ExitCode::kUsage,
        "{} has no manifest of this program, so it may belong to something else and is not removed; "
        "move it away, or choose another --out",
        foreign->string());
  }
}

}  // namespace

void remove_run(const fs::path& run, Reporter& reporter) {
  for (const char* name : kCheckpointFolders) refuse_foreign_steps(run / name);
  mark_as_run(run);  // first: a run of an earlier version is recognised by files removed below
  for (const char* name : kClaims) remove_file(run / name);
  for (const char* name : kCheckpointFolders) {
    if (is_own_folder(run / name, reporter)) checkpoint::remove_checkpoints(run / name);
  }
  if (is_own_folder(run / "events", reporter)) {
    remove_files(run / "events", train::is_event_file);
  }
  if (is_own_folder(run / "pictures", reporter)) remove_files(run / "pictures", is_image);
  remove_file(run / kLog);
  // Makes the removal durable before another recipe is written: after a power failure, the folder
  // must not hold that recipe with old checkpoints.
  sync_folder(run, ExitCode::kUsage, kFailpoints);
}

void refuse_links_at_files(const fs::path& run) {
  refuse_link(run / kLog, ExitCode::kUsage);
  for (const char* name : kClaims) refuse_link(run / name, ExitCode::kUsage);
  for (const char* name : kCheckpointFolders) refuse_link(run / name / "latest", ExitCode::kUsage);
}

void remove_link_at_recipe(const fs::path& run) {
  const fs::path file = run / kRecipe;
  if (type_of(file) == fs::file_type::symlink && system_call::unlink(kFailpoints, file) != 0) {
    fail_to_remove(file);
  }
}

void remove_inner_run(const fs::path& run, Reporter& reporter) {
  if (!is_own_folder(run, reporter) || !is_run(run)) return;
  const RunLock lock(run, reporter);
  remove_run(run, reporter);
  for (const char* name : {kRecipe, kMark, kLockFile}) remove_file(run / name);
  remove_if_empty(run);
}

}  // namespace fcm::tasks
