// The commit protocol. Once the folder holds a valid checkpoint, it holds one at every moment: a
// crash at any call leaves the old checkpoint, the new one, or both.
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <numeric>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/system_call.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/checkpoint/manifest.h"
#include "fcm/checkpoint/step_folders.h"
#include "fcm/formats/tensor_io.h"

namespace fcm::checkpoint {
namespace {

namespace fs = std::filesystem;

// The destructor removes the temporary folder unless leave() was called. After a swap the folder
// holds the replaced checkpoint.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {
    if (system_call::mkdir(kFailpoints, path_) == 0) return;
    const int reason = errno;
    // clean_up_leftovers() does not remove a folder that holds files which save() did not write.
    // Reuses such a folder, files included.
    std::error_code ignored;
    const bool folder = fs::symlink_status(path_, ignored).type() == fs::file_type::directory;
    if (reason == EEXIST && folder) return;
    remove_step(path_);  // mkdir may report a failure after it has created the folder
    fail(ExitCode::kCheckpoint, "cannot create {}: {}", path_.string(), std::strerror(reason));
  }
  ~TemporaryFolder() {
    if (present_) remove_step(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }
  void leave() { present_ = false; }

 private:
  fs::path path_;
  bool present_ = true;
};

uint64_t bytes_of_all(std::span<const formats::TensorView> tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), uint64_t{0},
                         [](uint64_t sum, const formats::TensorView& tensor) {
                           return sum + tensor.bytes.size() + tensor.name.size() + 128;
                         });
}

// Fails before minutes of writing instead of after them. The margin leaves room for logs.
void require_free_space(const fs::path& folder, uint64_t needed) {
  struct statvfs facts {};
  if (::statvfs(folder.c_str(), &facts) != 0) return;  // unknown: let the writes fail
  const double available =
      static_cast<double>(facts.f_bavail) * static_cast<double>(facts.f_frsize);
  const double wanted = 1.2 * static_cast<double>(needed);
  if (available >= wanted) return;
  fail(ExitCode::kCheckpoint,
       "{} has {:.1f} MB free, a checkpoint needs {:.1f} MB (1.2 times its size); free some space "
       "or lower run.keep_last",
       folder.string(), available / 1e6, wanted / 1e6);
}

void write_content(const fs::path& step_folder, Manifest manifest,
                   std::span<const formats::TensorView> model,
                   std::span<const formats::TensorView> optimizer) {
  const std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                       {"step", std::to_string(manifest.step)}};
  manifest.files[kModelFile] =
      formats::write_tensor_file(step_folder / kModelFile, model, metadata);
  manifest.files[kOptimizerFile] =
      formats::write_tensor_file(step_folder / kOptimizerFile, optimizer, metadata);
  FileWriter file(step_folder / kManifestFile, ExitCode::kCheckpoint, kFailpoints);
  file.write(to_text(manifest));
  file.finish();
  sync_folder(step_folder, ExitCode::kCheckpoint, kFailpoints);
}

[[noreturn]] void fail_to_commit(const fs::path& path) {
  fail(ExitCode::kCheckpoint, "cannot rename {} into place: {}", path.string(),
       std::strerror(errno));
}

// Replaces an old folder by the new one on file systems that cannot swap two names. Meanwhile the
// old folder is step-N.old, which readers accept.
void replace_stepwise(const fs::path& temporary, const fs::path& place) {
  const fs::path aside = place.string() + ".old";
  if (system_call::rename(kFailpoints, place, aside) != 0) fail_to_commit(place);
  if (system_call::rename(kFailpoints, temporary, place) != 0) {
    const int reason = errno;
    if (!is_there(place, ExitCode::kCheckpoint)) system_call::rename(kFailpoints, aside, place);
    errno = reason;
    fail_to_commit(temporary);
  }
  sync_folder(place.parent_path(), ExitCode::kCheckpoint, kFailpoints);
  // The old folder is renamed durably before its files are deleted, so that step-N.old is never
  // incomplete.
  if (system_call::rename(kFailpoints, aside, temporary) != 0) fail_to_commit(aside);
  sync_folder(place.parent_path(), ExitCode::kCheckpoint, kFailpoints);
}

// A foreign folder (files of somebody else, or a checkpoint without its manifest) must not be
// replaced. Moves it to an unused name, step-N.aside or step-N.aside-2, ...
void move_foreign_aside(const fs::path& place) {
  if (!is_foreign(place)) return;
  fs::path aside = place.string() + ".aside";
  for (int number = 2; is_there(aside, ExitCode::kCheckpoint); ++number) {
    aside = fmt::format("{}.aside-{}", place.string(), number);
  }
  if (system_call::rename(kFailpoints, place, aside) != 0) fail_to_commit(place);
  sync_folder(place.parent_path(), ExitCode::kCheckpoint, kFailpoints);
}

// Afterwards `place` durably holds the new checkpoint, and `temporary` the replaced one, if any.
void commit(TemporaryFolder& temporary, const fs::path& place) {
  move_foreign_aside(place);
  if (!is_there(place, ExitCode::kCheckpoint)) {
    if (system_call::rename(kFailpoints, temporary.path(), place) != 0) {
      fail_to_commit(temporary.path());
    }
    temporary.leave();
    return sync_folder(place.parent_path(), ExitCode::kCheckpoint, kFailpoints);
  }
  const bool swapped = system_call::exchange(kFailpoints, temporary.path(), place) == 0;
  const int reason = errno;
  if (!swapped && (reason == EINVAL || reason == ENOSYS)) {
    return replace_stepwise(temporary.path(), place);
  }
  try {
    sync_folder(place.parent_path(), ExitCode::kCheckpoint, kFailpoints);
  } catch (...) {
    temporary.leave();  // a power failure may still undo the swap, so both folders must stay
    throw;
  }
  errno = reason;
  if (!swapped) fail_to_commit(temporary.path());
}

}  // namespace

void save(const fs::path& folder, int64_t step, std::span<const formats::TensorView> model,
          std::span<const formats::TensorView> optimizer, const nlohmann::json& state,
          const Retention& retention) {
  require(step >= 0, "save: expected a step of 0 or more, got {}", step);
  make_folders(folder, ExitCode::kCheckpoint, kFailpoints);
  clean_up_leftovers(folder);
  require_free_space(folder, bytes_of_all(model) + bytes_of_all(optimizer));
  {
    TemporaryFolder temporary(temporary_path(folder, step));
    write_content(temporary.path(), {step, last_sequence(folder) + 1, {}, state}, model, optimizer);
    commit(temporary, folder / step_name(step));
  }
  write_file_durably(folder / "latest", step_name(step) + "\n", ExitCode::kCheckpoint, kFailpoints);
  prune(folder, step, retention);
}

}  // namespace fcm::checkpoint
