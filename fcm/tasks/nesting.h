// Outputs inside the data, and data inside the outputs.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"

namespace fcm::tasks {

// Throws Error(kUsage) if images written below `out` would become images of the data at the next
// start, or if the data is in a subfolder that a run uses for its own files. Warns if one is inside
// the other without harm.
void refuse_nested(const std::filesystem::path& out, const std::string& data,
                   const loader::Dataset& dataset, Reporter& reporter);

}  // namespace fcm::tasks
