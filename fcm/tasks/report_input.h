// What a run folder tells about its run, for the report.
#pragma once

#include <filesystem>

#include "fcm/viz/report.h"

namespace fcm::tasks {

// Reads recipe.toml, log.jsonl, result.json (if the task left one) and the newest pictures of a run
// folder. Throws Error(kUsage) where there is no run.
viz::ReportInput report_input(const std::filesystem::path& run_dir);

}  // namespace fcm::tasks
