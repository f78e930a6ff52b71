// The parts of a comparison, each as HTML. Private to viz.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/viz/comparison.h"
#include "fcm/viz/line_positions.h"
#include "fcm/viz/run_log.h"

namespace fcm::viz::report {

// A run and its parsed log.
struct RunLines {
  const ComparedRun* run = nullptr;
  RunLog log;
  LinePositions steps, epochs;  // positions of the log's step lines and epoch lines
};

std::vector<RunLines> lines_of(const ComparisonInput& input);

// The legend of all runs.
std::string legend_of(const ComparisonInput& input);

// The charts over each of the three axes, with the switch between the axes; empty if no run has
// logged anything.
std::string curves(const std::vector<RunLines>& runs, const std::string& legend);

// A row of a table with one column per run.
struct RunRow {
  std::string name;
  std::vector<std::string> values;
  std::vector<size_t> best;  // columns set in bold
};
std::string run_table(const ComparisonInput& input, const std::vector<RunRow>& rows);

std::vector<RunRow> facts(const std::vector<RunLines>& runs);
std::vector<RunRow> accuracies(const std::vector<RunLines>& runs);

// Keys of accuracies in the epoch lines of any run.
std::vector<std::string> accuracy_keys(const std::vector<RunLines>& runs);

// CSS in addition to page_style() and chart_style().
std::string_view comparison_style();

}  // namespace fcm::viz::report
