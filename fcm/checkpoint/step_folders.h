// The contents of a run's `checkpoints` folder, and their removal. Only files that save() wrote,
// links in their place and empty folders are ever removed; links are not followed. Private to this
// folder.
//
//   step-N                a committed checkpoint
//   step-N.tmp.HOST.PID   being written or removed by process PID of machine HOST; earlier versions
//                         left HOST out
//   step-N.old            being replaced by a new step-N, if the file system cannot swap names
//   step-N.aside          a foreign step-N, moved away by a save; not read, never removed
//   latest                text: the name of the checkpoint committed last
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/checkpoint/manifest.h"

namespace fcm::checkpoint {

constexpr const char* kFailpoints = "checkpoint";  // names this folder's failpoints

struct StepFolder {
  std::filesystem::path path;
  int64_t step = 0;
  bool old = false;  // step-N.old
};

std::string step_name(int64_t step);
std::filesystem::path temporary_path(const std::filesystem::path& folder, int64_t step);

// The step of a path named step-N; nullopt: any other name, step-N.old included.
std::optional<int64_t> step_of(const std::filesystem::path& path);

// The folders named step-N or step-N.old that contain at least one file named as save() names it,
// by step; damaged and foreign ones included. Throws Error(kCheckpoint) if `folder` cannot be
// listed.
std::vector<StepFolder> list_steps(const std::filesystem::path& folder);

// The step that `latest` names; nullopt: the file is missing or holds something else.
std::optional<int64_t> read_latest(const std::filesystem::path& folder);

// Checks without hashing: the manifest is valid and of this step number, and every file has its
// recorded size. Throws Error(kCheckpoint).
Manifest checked_manifest(const StepFolder& step);

// The highest sequence number among the valid manifests in the folder; 0: there are none.
int64_t last_sequence(const std::filesystem::path& folder);

// Removes leftovers of dead processes of this machine; processes of other machines may be alive.
// Removes step-N.old if a complete step-N was saved after it; renames it back to step-N if there is
// no step-N. Throws Error(kCheckpoint) if the folder cannot be listed or synced; other failures are
// ignored, because a leftover does no harm.
void clean_up_leftovers(const std::filesystem::path& folder);

// Removes checkpoints that `retention` does not keep, except `just_saved`, the step that `latest`
// names, damaged steps, and folders with other files in them. Throws Error(kCheckpoint).
void prune(const std::filesystem::path& folder, int64_t just_saved, const Retention& retention);

// Whether the folder holds files named as save() names them but no manifest of this program. It may
// then belong to somebody else, so nothing in it is removed or replaced. False for a link. Throws
// Error(kCheckpoint) if the manifest cannot be read.
bool is_foreign(const std::filesystem::path& step_folder);

// Removes the files that save() writes into a step folder, its empty subfolders, and then the
// folder if it is empty. A link is removed, not followed. Returns false, with errno set, if one of
// these files or the empty folder could not be removed.
bool remove_step(const std::filesystem::path& step_folder);

}  // namespace fcm::checkpoint
