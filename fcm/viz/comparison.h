// One self-contained HTML page about several runs side by side: no script, nothing loaded.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/viz/chart.h"

namespace fcm::viz {

struct ComparedRun {
  std::string name;       // short, and none of the others'
  std::string folder;     // as it was named
  std::string recipe;     // name of it
  std::string kind;       // "pretraining", "classification", ...: losses are compared within a kind
  double batch_size = 0;  // of all processes
  bool has_result = false;          // it ended and left result.json
  nlohmann::json summary;           // keys as in report.h, and "top1", "top5", "box", "mask"
  std::vector<nlohmann::json> log;  // lines of log.jsonl
};

// A fact in which the runs differ.
struct Difference {
  std::string name;                 // "optim.base_lr", "trained on"
  std::vector<std::string> values;  // one a run
};

struct ComparisonInput {
  std::vector<ComparedRun> runs;  // 2 to kRunLooks
  std::vector<Difference> differences;
  std::vector<std::string> notes;
};

// The page, in UTF-8. Curves stand over steps, over images seen and over hours of training, one
// of the three shown at a time. Hours are those that the log tells ("train_seconds"), or else
// images by the logged speeds: without what is measured and saved between steps.
std::string render_comparison(const ComparisonInput& input);

}  // namespace fcm::viz
