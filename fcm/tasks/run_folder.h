// Checks and prepares the folder of a run.
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
  std::string resume = "auto";  // auto, never, or a checkpoint to start a new folder from
  bool overwrite = false;
  std::optional<RunFacts> facts = std::nullopt;
  const RunLock* lock = nullptr;  // of `out`, if the caller holds it
};

struct PreparedRun {
  std::optional<RunLock> lock;  // held while the run writes; nullopt: the caller holds it
  nlohmann::json about = nlohmann::json::object();  // about_of(), for every checkpoint's state
};

// Prepares the folder: takes its lock, marks it as a run and writes recipe.toml.
//
// An existing run is resumed if its recipe is the same. Keys that do not define the run may differ
// (defining_text), for example run.max_steps and the intervals of logging and saving. With
// `overwrite` the run is replaced (remove_run in run_files.h, which only removes files of this
// program). Otherwise throws Error(kUsage), so that no work is lost silently.
//
// A folder that is not a run may hold other files. Throws Error(kUsage) if it holds a file with a
// name that a run uses (run_files.h), or if `overwrite` is set and the folder is not empty.
//
// Throws Error(kUsage) if another process uses the folder, and Error(kData) if the run learns
// classes and its checkpoints have other classes. Warns as about_of does. If it throws, no file of
// the run is changed, unless removing or writing one fails.
PreparedRun prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                               Reporter& reporter);

// Takes the lock of a folder for a run, creating the folder if it is missing. Throws Error(kUsage)
// if prepare_run_folder would refuse the folder.
RunLock lock_run_folder(const RunFolderRequest& request, Reporter& reporter);

// The text of the recipe without the keys that may change between launches of one run.
std::string defining_text(const recipe::Recipe& recipe);

}  // namespace fcm::tasks
