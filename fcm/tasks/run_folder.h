// The folder a run writes to: what may be there already, and what is written first.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

struct RunFolderRequest {
  std::filesystem::path out;
  std::string resume = "auto";  // auto, never, or a checkpoint to continue from in a new folder
  bool overwrite = false;
};

// Makes the folder ready, marks it as a run and writes recipe.toml. An existing run is continued if
// its recipe is the same (how long it runs and how often it logs and saves may change), replaced
// with `overwrite` (remove_run in run_files.h: only what this program wrote), and otherwise refused
// with Error(kUsage): work is never lost silently. In a folder that is no run, files of other names
// are not in the way, but one named as ours is refused always, and so is `overwrite`, for want of a
// run.
void prepare_run_folder(const RunFolderRequest& request, const recipe::Recipe& recipe,
                        Reporter& reporter);

// The recipe without the keys that may change between launches of one run.
std::string defining_text(const recipe::Recipe& recipe);

}  // namespace fcm::tasks
