// Layout of charts on a page. Private to viz.
#pragma once

#include <string>
#include <vector>

#include "fcm/viz/chart.h"

namespace fcm::viz::report {

// A chart without series, half as wide as the page, for pair().
LineChart line_chart_over(const char* x_label, const std::string& title, const char* unit);

// A chart across the page, drawn at two widths: on a narrow screen the wide chart would be too
// small to read, so the page shows the other one.
std::string wide(const LineChart& chart);
std::string wide(const BarChart& chart);

// Charts side by side; one below the other on a narrow screen.
std::string pair(const std::vector<std::string>& charts);

}  // namespace fcm::viz::report
