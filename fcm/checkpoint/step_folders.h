// What lies in a run's `checkpoints` folder, and how things disappear from it: only what save()
// wrote is ever removed, never a whole tree, and nothing through a link. Private to this folder.
//
//   step-N                a committed checkpoint
//   step-N.tmp.HOST.PID   being written, or being removed, by process PID of that machine; earlier
//                         versions left HOST out
//   step-N.old            the one that a new step-N is replacing, where the file system cannot swap
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

constexpr const char* kWho = "checkpoint";  // names our failpoints

struct StepFolder {
  std::filesystem::path path;
  int64_t step = 0;
  bool old = false;  // step-N.old
};

std::string step_name(int64_t step);
std::filesystem::path temporary_path(const std::filesystem::path& folder, int64_t step);

// The step of a path named step-N (not step-N.old); nullopt: it is named otherwise.
std::optional<int64_t> step_of(const std::filesystem::path& path);

// Committed checkpoints (step-N and step-N.old), by name alone; but not a folder of that name
// without any file of a checkpoint. Throws Error(kCheckpoint) where the folder cannot be listed.
std::vector<StepFolder> list_steps(const std::filesystem::path& folder);

// The step that `latest` names; nullopt: there is no such file, or it holds something else.
std::optional<int64_t> read_latest(const std::filesystem::path& folder);

// Manifest of a step folder of that number whose files are there at their sizes: the fast check.
Manifest checked_manifest(const StepFolder& step);

// Highest sequence number in the folder, of manifests that can be read.
int64_t last_sequence(const std::filesystem::path& folder);

// Removes what dead processes of this machine left behind (of another one nobody here knows which
// are alive); brings back a step-N.old whose replacement never came.
// Does what it can: a leftover that stays does no harm.
void clean_up_leftovers(const std::filesystem::path& folder);

// Removes what the retention does not keep, but neither `just_saved` nor what `latest` names nor
// anything damaged, nor a folder in which somebody put something else. Throws Error(kCheckpoint).
void prune(const std::filesystem::path& folder, int64_t just_saved, const Retention& retention);

// Whether the folder holds files named as save() names them and no manifest of this program: it may
// be somebody else's, so nothing in it is removed or replaced. False for a link. Throws
// Error(kCheckpoint) where its manifest cannot be read.
bool is_foreign(const std::filesystem::path& step_folder);

// Removes the files that save() writes into a step folder, then the folder. What else it holds
// stays, and the folder with it. A link is removed, not followed. False, and errno: a file of ours
// stayed.
bool remove_step(const std::filesystem::path& step_folder);

}  // namespace fcm::checkpoint
