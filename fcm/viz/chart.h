// Line charts, bar charts and timelines as SVG text. They follow the page's light or dark scheme
// and need no script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fcm::viz {

// kInPage: the page contains chart_style() once. kFile: the SVG has its own style and name space
// and can be saved as a file.
enum class ChartUse { kInPage, kFile };

enum class Scale {
  kLinear,
  kLog,  // leaves out values <= 0
};

struct Series {
  std::string name;         // empty: not in the legend
  std::vector<double> x;    // ascending
  std::vector<double> y;    // same length; NaN or infinity: a gap in the line
  bool background = false;  // a faint line behind the others (raw values behind their average)
  bool dots = false;        // marks every value
  // In a page that compares runs: the index of the run, which selects the line's look in every
  // chart; the line then ends with a dot. -1: the next colour of the chart.
  int run = -1;
};

// The number of distinguishable lines: four colours that colour-blind readers can tell apart, each
// solid, dashed, dotted and dash-dotted.
inline constexpr size_t kMostComparedRuns = 16;

struct LineChart {
  std::string title;
  std::string unit;  // of y, beside the title: "%", "images/s"
  std::string x_label;
  std::vector<Series> series;
  Scale scale = Scale::kLinear;
  Scale x_scale = Scale::kLinear;
  bool whole_x = false;        // x is a count: ticks only at integers
  bool from_zero = false;      // the y axis includes 0 (linear only)
  bool trim_outliers = false;  // rare outliers are drawn at the edge and counted below the chart
  bool has_legend = true;      // false: the legend is elsewhere on the page
  size_t most_points = 1500;   // per line; more than the chart has pixels
  double width = 720, height = 280;
};

// Without any finite value the chart says "no data".
std::string line_chart(const LineChart& chart, ChartUse use = ChartUse::kInPage);

// A short line in the look of a run, for a legend outside of charts.
std::string run_swatch(size_t run);

struct BarGroup {
  std::string label;
  std::vector<double> values;  // one per series; NaN: no bar
};

struct BarChart {
  std::string title;
  std::string unit;
  std::vector<std::string> series;  // the last is the main series and gets the accent colour
  std::vector<BarGroup> groups;
  int decimals = 1;       // of the labels at the bars' ends
  double full_scale = 0;  // end of the axis unless a value is larger; 0: the axis fits the values
  double width = 720;     // the height follows from the number of bars
};

std::string bar_chart(const BarChart& chart, ChartUse use = ChartUse::kInPage);

struct Span {
  double begin = 0, end = 0;
  std::string label;
};

struct TimelineRow {
  std::string label;
  std::vector<Span> spans;
  bool is_compared = false;  // a row for comparison, drawn in grey with labels on its spans
};

// A bar for each span, on a common axis that starts at 0.
struct Timeline {
  std::string title;
  std::string unit;  // of begin and end
  std::vector<TimelineRow> rows;
  double width = 720;  // the height follows from the number of rows
};

std::string timeline(const Timeline& chart, ChartUse use = ChartUse::kInPage);

// CSS of all charts, for the head of a page with kInPage charts.
std::string_view chart_style();

// The interquartile mean over `window` neighbours. Unlike an exponential average it does not lag
// behind the values, and single spikes do not affect it. The window narrows at the ends to stay
// centred, but keeps two neighbours on each side that has them. Skips non-finite values; returns at
// most 600 points.
Series smoothed(const Series& series, size_t window);

}  // namespace fcm::viz
