// Reads the contents of run folders for reports.
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
  nlohmann::json about;   // state of the newest checkpoint; an empty object if there is none
  nlohmann::json result;  // result.json; null: the run has not finished, or its task has none
};

// Reads recipe.toml, log.jsonl, result.json and the state of the newest checkpoint. Throws
// Error(kUsage) if the folder is not a run.
StoredRun stored_run(const std::filesystem::path& run_dir);

// Reads several runs, of any tasks, and finds their differences. Throws Error(kUsage) for a folder
// that is not a run or is named twice, and for more than viz::kMostComparedRuns runs.
viz::ComparisonInput comparison_of(const std::vector<std::filesystem::path>& run_dirs);

// Reads what stored_run() reads, and the newest sheet of the run. Throws Error(kUsage) if the
// folder is not a run.
viz::ReportInput report_input(const std::filesystem::path& run_dir);

}  // namespace fcm::tasks
