// The parts of a comparison, each as HTML. Not for use outside viz.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/viz/comparison.h"
#include "fcm/viz/run_log.h"
#include "fcm/viz/run_places.h"

namespace fcm::viz::report {

// A run, read once.
struct RunLines {
  const ComparedRun* run = nullptr;
  RunLog log;
  Places steps, epochs;  // of its lines
};

std::vector<RunLines> lines_of(const ComparisonInput& input);

// Which line is whose.
std::string legend_of(const ComparisonInput& input);

// The charts over each of the three axes, with the switch between them; empty where no run has
// logged anything.
std::string curves(const std::vector<RunLines>& runs, const std::string& legend);

// A row a fact, a column a run.
struct RunRow {
  std::string name;
  std::vector<std::string> values;
  std::vector<size_t> best;  // columns to be set bold
};
std::string run_table(const ComparisonInput& input, const std::vector<RunRow>& rows);

std::vector<RunRow> facts(const std::vector<RunLines>& runs);
std::vector<RunRow> accuracies(const std::vector<RunLines>& runs);

// Keys of epoch lines that are accuracies, of any run.
std::vector<std::string> accuracy_keys(const std::vector<RunLines>& runs);

// CSS beside page_style() and chart_style().
std::string_view comparison_style();

}  // namespace fcm::viz::report
