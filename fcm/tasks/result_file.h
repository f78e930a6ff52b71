// Results as JSON: result.json of a run, and in a folder that a measuring command names with --out.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"

namespace fcm::tasks {

// JSON has no word for NaN and infinity: such numbers become null, their names stand in
// "not_finite" and in a warning.
void settle_numbers(nlohmann::json& result, Reporter& reporter);

// A result of this program is replaced by the next one; somebody else's result.json is not, nor a
// confusion.png that no result beside it names, nor the result of a run. Throws Error(kUsage) where
// one of these is in the way: asked before anything is measured.
void refuse_foreign_result(const std::filesystem::path& folder);

// Creates the folder where it is missing. Throws Error(kUsage) as above and where the system
// refuses.
void write_result(const std::filesystem::path& folder, const nlohmann::json& result);

// result.json of a run, by the run.
void write_run_result(const std::filesystem::path& run, const nlohmann::json& result);

}  // namespace fcm::tasks
