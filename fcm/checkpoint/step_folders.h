// The contents of a run's `checkpoints` folder, and how they are removed: only what save() wrote is
// ever removed, never a whole tree, and nothing through a link. Private to this folder.
//
//   step-N                a committed checkpoint
//   step-N.tmp.HOST.PID   being written, or being removed, by process PID of that machine; earlier
//                         versions left HOST out
//   step-N.old            being replaced by a new step-N, where the file system cannot swap names
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

constexpr const char* kWho = "checkpoint";  // names this folder's failpoints

struct StepFolder {
  std::filesystem::path path;
  int64_t step = 0;
  bool old = false;  // step-N.old
};

std::string step_name(int64_t step);
std::filesystem::path temporary_path(const std::filesystem::path& folder, int64_t step);

// The step of a path named step-N; nullopt: any other name, step-N.old included.
std::optional<int64_t> step_of(const std::filesystem::path& path);

// Committed checkpoints (step-N and step-N.old), recognised by name and by at least one file of a
// checkpoint in them. Throws Error(kCheckpoint) if the folder cannot be listed.
std::vector<StepFolder> list_steps(const std::filesystem::path& folder);

// The step that `latest` names; nullopt: the file is missing or holds something else.
std::optional<int64_t> read_latest(const std::filesystem::path& folder);

// The fast check: a manifest of that step number, and every file present at its recorded size.
Manifest checked_manifest(const StepFolder& step);

// Highest sequence number in the folder, of the manifests that can be read.
int64_t last_sequence(const std::filesystem::path& folder);

// Removes leftovers of dead processes of this machine (of another machine's it is unknown which are
// alive), and renames a step-N.old back if its replacement never came. Best effort: a leftover that
// stays does no harm.
void clean_up_leftovers(const std::filesystem::path& folder);

// Removes what `retention` does not keep, except `just_saved`, the step that `latest` names,
// damaged steps, and folders with other files in them. Throws Error(kCheckpoint).
void prune(const std::filesystem::path& folder, int64_t just_saved, const Retention& retention);

// Whether the folder holds files named as save() names them but no manifest of this program: it may
// belong to somebody else, so nothing in it is removed or replaced. False for a link. Throws
// Error(kCheckpoint) if its manifest cannot be read.
bool is_foreign(const std::filesystem::path& step_folder);

// Removes the files that save() writes into a step folder, then the folder if it is empty. A link
// is removed, not followed. False, with errno set: a file of ours could not be removed.
bool remove_step(const std::filesystem::path& step_folder);

}  // namespace fcm::checkpoint
