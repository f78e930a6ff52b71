// Checks for outputs inside the data folder, and for data inside the output folder.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"

namespace fcm::tasks {

// Throws Error(kUsage) if images written below `out` would be images of the data at the next start,
// or if the data is in a subfolder of `out` that a run uses for its own files. If one folder is
// inside the other without such a conflict, only warns.
void refuse_nested(const std::filesystem::path& out, const std::string& data,
                   const loader::Dataset& dataset, Reporter& reporter);

}  // namespace fcm::tasks
