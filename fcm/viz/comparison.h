// One self-contained HTML page that compares several runs: it has no scripts and loads no other
// file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/viz/chart.h"

namespace fcm::viz {

struct ComparedRun {
  std::string name;         // short and unique
  std::string folder;       // as the user named it
  std::string recipe;       // the recipe's name
  std::string kind;         // task: "pretraining", ...; losses are compared within a task only
  double batch_size = 0;    // over all processes
  bool has_result = false;  // it finished and wrote result.json
  nlohmann::json summary;   // keys as in report.h, and "top1", "top5", "box", "mask"
  std::vector<nlohmann::json> log;  // lines of log.jsonl
};

// A recipe key or another property that differs between the runs.
struct Difference {
  std::string name;                 // "optim.base_lr", "trained on"
  std::vector<std::string> values;  // one per run
};

struct ComparisonInput {
  std::vector<ComparedRun> runs;  // 2 to kMostComparedRuns
  std::vector<Difference> differences;
  std::vector<std::string> notes;
};

// The page, in UTF-8. Curves are drawn over steps, over images seen and over hours of training; the
// page shows one of the three at a time. Hours come from "train_seconds" in the log. If that is
// missing, they are computed from images and logged speeds, without the time for evaluation and
// saving.
std::string render_comparison(const ComparisonInput& input);

}  // namespace fcm::viz
