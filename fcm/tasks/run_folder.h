// The folder a run writes to: what may be there already, and what is written first.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/run_facts.h"
#include "fcm/tasks/run_lock.h"

namespace fcm::tasks {

struct RunFolderRequest {
  std::filesystem::path out;
  std::string resume = "auto";  // auto, never, or a checkpoint to continue from in a new folder
  bool overwrite = false;
  std::optional<RunFacts> facts = std::nullopt;
  const RunLock* lock = nullptr;  // of `out`, where the caller has it already
};

struct PreparedRun {
  std::optional<RunLock> lock;  // held for as long as the run writes; nullopt: the caller has it
  nlohmann::json about = nlohmann::json::object();  // for every checkpoint's state: about_of()
};

// Makes the folder ready, takes its lock, marks it as a run and writes recipe.toml. An existing run
// is continued if its recipe is the same (how long it runs and how often it logs and saves may
// change), replaced with `overwrite` (remove_run in run_files.h: only what this program wrote), and
// otherwise refused with Error(kUsage): work is never lost silently. In a folder that is no run,
// files of other names are not in the way, but one named as ours is refused always, and so is
// `overwrite`, for want of a run. A run whose classes are others than its checkpoints' is
// Error(kData) where it learns them; another number or list of images, and other weights to start
// from, are said. A folder that is in use is Error(kUsage). Whatever is refused changes nothing.
PreparedRun prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                               Reporter& reporter);

// The lock of a folder that a run may be written to, refused as above where it may not.
RunLock lock_run_folder(const RunFolderRequest& request, Reporter& reporter);

// The recipe without the keys that may change between launches of one run.
std::string defining_text(const recipe::Recipe& recipe);

}  // namespace fcm::tasks
