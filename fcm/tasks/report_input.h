// What run folders tell about their runs, for reports.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/recipe/recipe.h"
#include "fcm/viz/comparison.h"
#include "fcm/viz/report.h"

namespace fcm::tasks {

struct StoredRun {
  recipe::Recipe recipe;
  std::string recipe_toml;
  std::vector<nlohmann::json> log;
  nlohmann::json about;   // state of the newest checkpoint; an empty object without one
  nlohmann::json result;  // null: the run has not ended, or its task leaves none
};

// Reads recipe.toml, log.jsonl, the newest manifest and result.json. Throws Error(kUsage) where
// there is no run.
StoredRun stored_run(const std::filesystem::path& run_dir);

// Several runs, of whatever tasks, and in what they differ. Throws Error(kUsage) for a folder that
// is no run or is named twice, and for more than viz::kRunLooks of them.
viz::ComparisonInput comparison_of(const std::vector<std::filesystem::path>& run_dirs);

// Reads recipe.toml, log.jsonl, result.json (if the task left one) and the newest images of a run
// folder. Throws Error(kUsage) where there is no run.
viz::ReportInput report_input(const std::filesystem::path& run_dir);

}  // namespace fcm::tasks
