// How charts stand on a page. Not for use outside viz.
#pragma once

#include <string>
#include <vector>

#include "fcm/viz/chart.h"

namespace fcm::viz::report {

// A chart as wide as half the page, as those that stand in pairs are.
LineChart line_chart_over(const char* x_label, const std::string& title, const char* unit);

// A chart across the page, drawn twice: on a narrow screen the large one would be too small to
// read.
std::string wide(const LineChart& chart);
std::string wide(const BarChart& chart);

// Charts side by side, below one another on a narrow screen.
std::string pair(const std::vector<std::string>& charts);

}  // namespace fcm::viz::report
