// Results as JSON: result.json of a run, or in the folder of a measuring command's --out.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"

namespace fcm::tasks {

// JSON cannot represent NaN and infinity: such values become null; their names are listed in
// "not_finite" and in a warning.
void replace_non_finite(nlohmann::json& result, Reporter& reporter);

// A result of this program may be replaced by the next one. Throws Error(kUsage) if the folder has
// another result.json, a confusion.png that no result beside it names, or is a run folder. Call it
// before measuring.
void refuse_foreign_result(const std::filesystem::path& folder);

// Creates the folder if it is missing. Throws Error(kUsage) as above, or if the system refuses.
void write_result(const std::filesystem::path& folder, const nlohmann::json& result);

// The run's own result.json.
void write_run_result(const std::filesystem::path& run, const nlohmann::json& result);

}  // namespace fcm::tasks
