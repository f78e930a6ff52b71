// Data inside of what a command writes, and the other way round.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"

namespace fcm::tasks {

// Throws Error(kUsage) where images that are written below `out` would be images of the data on
// the next start, or where the data lies under a name that a run has for its own files. Says where
// one of the two lies in the other without harm.
void refuse_nested(const std::filesystem::path& out, const std::string& data,
                   const loader::Dataset& dataset, Reporter& reporter);

}  // namespace fcm::tasks
