// The names this program writes in a run folder, and their removal. A run folder may hold other
// things as well (notes, the output of a job, other runs): what is not named here is never touched.
//
//   .fastconvmae-run       marks the folder as a run; stays when the run is replaced
//   .fastconvmae-lock      run_lock.h; stays likewise
//   recipe.toml  log.jsonl  report.html  result.json  confusion.png      also with .tmp behind it
//   checkpoints/  best/    step-N and latest (checkpoint::remove_checkpoints)
//   events/                events.out.tfevents.<seconds>.<host>.<process>
//   pictures/              step-NNNNNNNN.png
//
// A folder goes when it is empty.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "fcm/base/reporter.h"

namespace fcm::tasks {

// "step-00000020.png", of a run's pictures/.
std::string picture_name(int64_t step);

// Whether the folder is a run of this program: it holds the mark; or, as runs do that were made
// before there was one, a recipe.toml of this program, log.jsonl and a folder checkpoints/. A
// recipe.toml alone is anybody's.
bool is_run(const std::filesystem::path& folder);

// The first of the names above that stands in the folder, other than the mark; an empty folder is
// not in the way. nullopt: a run can be begun beside whatever else is there.
std::optional<std::string> name_in_the_way(const std::filesystem::path& folder);

// Throws Error(kUsage) where the mark cannot be written.
void mark_as_run(const std::filesystem::path& folder);

// Removes a run's files but for its mark and recipe.toml, which the next recipe replaces. `run` may
// be reached by a link, but nothing below it is: a link at one of the names is removed, with a
// warning where a folder is expected, and what it leads to stays. What says that the run is
// finished goes first, so that a removal which is interrupted leaves a run that goes on with its
// own recipe, is refused to any other, and can be removed. Throws Error(kUsage) or
// Error(kCheckpoint) where something cannot be removed; Error(kUsage), and nothing is removed,
// where a step-N is not of this program.
void remove_run(const std::filesystem::path& run, Reporter& reporter);

// Throws Error(kUsage) where a link stands at the name of a file that a run writes as it goes: it
// would be found after hours of work.
void refuse_links_at_files(const std::filesystem::path& run);

// Removes a link in the place of recipe.toml, which is about to be written. Throws Error(kUsage).
void remove_link_at_recipe(const std::filesystem::path& run);

// The same for a run inside of one, with its mark, recipe and, if nothing else is in it, its
// folder. A link in its place is removed, not followed; what is no run stays as it is.
void remove_inner_run(const std::filesystem::path& run, Reporter& reporter);

}  // namespace fcm::tasks
