// The names of the files that this program writes in a run folder, and their removal. A run folder
// may hold other files as well (notes, the output of a job, other runs): files that are not named
// here are never touched.
//
//   .fastconvmae-run       marks the folder as a run; stays when the run is replaced
//   .fastconvmae-lock      run_lock.h; stays as well
//   recipe.toml  log.jsonl  report.html  result.json  confusion.png      also with .tmp appended
//   checkpoints/  best/    step-N and latest (checkpoint::remove_checkpoints)
//   events/                events.out.tfevents.<seconds>.<host>.<process>
//   pictures/              step-NNNNNNNN.png
//
// A subfolder that is empty after the removal is removed as well.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "fcm/base/reporter.h"

namespace fcm::tasks {

// The name of a sheet in a run's pictures/: "step-00000020.png".
std::string image_name(int64_t step);

// Whether the folder is a run of this program: it has the mark (.fastconvmae-run) or, as runs of
// earlier versions, a recipe.toml of this program, log.jsonl and a folder checkpoints/. A
// recipe.toml alone may belong to another program.
bool is_run(const std::filesystem::path& folder);

// The first of the names above that exists in the folder, except mark and lock; empty folders do
// not count. nullopt: a run can be started next to the other files.
std::optional<std::string> name_in_the_way(const std::filesystem::path& folder);

// Throws Error(kUsage) if the mark cannot be written.
void mark_as_run(const std::filesystem::path& folder);

// Removes a run's files except its mark, its lock and recipe.toml, which the next run overwrites.
// `run` may be a link, but links below it are not followed: a link at one of the names is removed,
// with a warning if a folder is expected there, and its target stays. The files of a finished run
// (result.json, report.html) are removed first. If the removal is interrupted, the run can still be
// resumed with its own recipe, refuses any other recipe, and can be removed. Throws Error(kUsage)
// or Error(kCheckpoint) if something cannot be removed; throws Error(kUsage), with nothing removed,
// if a step-N was not written by this program.
void remove_run(const std::filesystem::path& run, Reporter& reporter);

// Throws Error(kUsage) if there is a link at the name of a file that a run writes later. Without
// this check, the run would fail after hours of work.
void refuse_links_at_files(const std::filesystem::path& run);

// Removes a link in place of recipe.toml, which is about to be written. Throws Error(kUsage).
void remove_link_at_recipe(const std::filesystem::path& run);

// Removes a run that is inside the folder of another run, with its mark, lock and recipe and, if it
// is then empty, its folder. A link in place of the run is removed and not followed. Anything that
// is not a run stays.
void remove_inner_run(const std::filesystem::path& run, Reporter& reporter);

}  // namespace fcm::tasks
