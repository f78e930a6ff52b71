// result.json: the result of a run, in the run folder, or of a command that measures accuracy, in
// its folder --out.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"

namespace fcm::tasks {

// Replaces NaN and infinity, which JSON cannot represent, by null. Lists the names of these values
// in "not_finite" and in a warning.
void replace_non_finite(nlohmann::json& result, Reporter& reporter);

// Checks that a result can be written to the folder; call it before measuring. An earlier result of
// this program may be replaced. Throws Error(kUsage) if the folder is a run folder, if its
// result.json is not from this program, or if it has an image or list of detections (confusion.png,
// segmentation.png, detection.png, detections.json) that its result.json does not name. Also throws
// if one of these files is a link or has a temporary file next to it.
void refuse_foreign_result(const std::filesystem::path& folder);

// Creates the folder if it is missing. Throws Error(kUsage) as refuse_foreign_result, or if the
// folder or the file cannot be written.
void write_result(const std::filesystem::path& folder, const nlohmann::json& result);

// Writes the result.json of a run into its folder.
void write_run_result(const std::filesystem::path& run, const nlohmann::json& result);

}  // namespace fcm::tasks
