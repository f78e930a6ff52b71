// The folder of a run: what may already be there, and what is written first.
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
  const RunLock* lock = nullptr;  // of `out`, if the caller holds it
};

struct PreparedRun {
  std::optional<RunLock> lock;  // held while the run writes; nullopt: the caller holds it
  nlohmann::json about = nlohmann::json::object();  // for every checkpoint's state: about_of()
};

// Prepares the folder, takes its lock, marks it as a run and writes recipe.toml. An existing run is
// continued if its recipe is the same (its length and its intervals of logging and saving may
// change), replaced with `overwrite` (remove_run in run_files.h: only files of this program), and
// otherwise refused with Error(kUsage): work is never lost silently. In a folder that is not a run,
// files of other names do not matter, but a file with one of our names is always refused, and so is
// `overwrite`, as there is no run. Throws Error(kData) if the run learns classes and its
// checkpoints have others; warns about another number or list of images, and about other initial
// weights. A folder in use is Error(kUsage). A refusal changes nothing.
PreparedRun prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                               Reporter& reporter);

// Takes the lock of a folder for a run, or refuses it as above.
RunLock lock_run_folder(const RunFolderRequest& request, Reporter& reporter);

// The recipe without the keys that may change between launches of one run.
std::string defining_text(const recipe::Recipe& recipe);

}  // namespace fcm::tasks
