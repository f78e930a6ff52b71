// Charts with the curves of several runs, over steps, images and hours.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fcm/viz/chart.h"
#include "fcm/viz/chart_layout.h"
#include "fcm/viz/comparison_sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz::report {

namespace {

constexpr size_t kMostPoints = 400;  // per line: the page contains each chart three times

struct AxisChoice {
  const char* id;     // also the CSS class of its charts
  const char* name;   // of the switch
  const char* label;  // below the axis
  std::vector<double> LinePositions::*positions;
  bool whole;
};

constexpr std::array<AxisChoice, 3> kAxes = {
    AxisChoice{"by-steps", "steps", "step", &LinePositions::steps, true},
    AxisChoice{"by-images", "images seen", "images seen", &LinePositions::images, true},
    AxisChoice{"by-hours", "hours", "hours of training", &LinePositions::hours, false}};

// If one run is much longer than another, a linear axis would squeeze the short run into a few
// pixels at the edge.
bool needs_log_axis(const std::vector<RunLines>& runs, const AxisChoice& axis) {
  constexpr double kManyTimes = 20;
  double shortest = INFINITY, longest = 0;
  for (const RunLines& run : runs) {
    const double end = last_finite(run.steps.*axis.positions);
    if (!(end > 0)) continue;
    shortest = std::min(shortest, end);
    longest = std::max(longest, end);
  }
  return longest > kManyTimes * shortest;
}

// A chart over this axis, without series.
LineChart chart_over(const std::vector<RunLines>& runs, const AxisChoice& axis,
                     const std::string& title, const char* unit) {
  LineChart chart = line_chart_over(axis.label, title, unit);
  chart.whole_x = axis.whole;
  chart.has_legend = false;
  chart.most_points = kMostPoints;
  if (needs_log_axis(runs, axis)) {
    chart.x_scale = Scale::kLog;
    chart.whole_x = false;
    chart.x_label += ", log scale";
  }
  return chart;
}

// Adds the line of one run, without points of non-finite y. False if there are no others.
bool add_line(LineChart& chart, const std::vector<RunLines>& runs, size_t number,
              const std::vector<double>& x, const std::vector<double>& y, bool smooth) {
  Series line{runs[number].run->name, {}, {}, false, false, static_cast<int>(number)};
  for (size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) continue;
    line.x.push_back(x[i]);
    line.y.push_back(y[i]);
  }
  if (line.y.empty()) return false;
  if (smooth && line.y.size() >= 20) line = smoothed(line, std::max<size_t>(9, line.y.size() / 25));
  line.dots = line.y.size() <= 12;
  chart.series.push_back(std::move(line));
  return true;
}

void add_step_lines(LineChart& chart, const std::vector<RunLines>& runs, const AxisChoice& axis,
                    const std::string& key, const std::string& kind = "") {
  for (size_t number = 0; number < runs.size(); ++number) {
    if (!kind.empty() && runs[number].run->kind != kind) continue;
    add_line(chart, runs, number, runs[number].steps.*axis.positions,
             runs[number].log.step_column(key), /*smooth=*/key != "lr");
  }
}

// The distinct names of all runs, in the order of their first appearance.
template <class Names>
std::vector<std::string> distinct(const std::vector<RunLines>& runs, Names names_of) {
  std::vector<std::string> all;
  for (const RunLines& run : runs) {
    for (const std::string& name : names_of(run)) {
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    }
  }
  return all;
}

std::vector<std::string> kinds_of(const std::vector<RunLines>& runs) {
  return distinct(runs, [](const RunLines& run) { return std::vector{run.run->kind}; });
}

std::string loss_charts(const std::vector<RunLines>& runs, const AxisChoice& axis) {
  const std::vector<std::string> kinds = kinds_of(runs);
  std::string out;
  for (const std::string& kind : kinds) {
    LineChart chart =
        chart_over(runs, axis, kinds.size() > 1 ? "Loss of " + kind : "Loss", "smoothed");
    chart.height = 320;
    chart.trim_outliers = true;
    add_step_lines(chart, runs, axis, "loss", kind);
    if (!chart.series.empty()) out += wide(chart);
  }
  return out;
}

std::string other_charts(const std::vector<RunLines>& runs, const AxisChoice& axis) {
  std::vector<std::string> charts;
  for (const std::string& key : accuracy_keys(runs)) {
    LineChart chart = chart_over(runs, axis, accuracy_name(key), "%");
    for (size_t number = 0; number < runs.size(); ++number) {
      add_line(chart, runs, number, runs[number].epochs.*axis.positions,
               runs[number].log.epoch_column(key), /*smooth=*/false);
    }
    if (!chart.series.empty()) charts.push_back(line_chart(chart));
  }
  for (const auto& [key, title] :
       {std::pair{"lr", "Learning rate"}, {"images_per_second", "Images per second, smoothed"}}) {
    LineChart chart = chart_over(runs, axis, title, "");
    chart.from_zero = true;
    add_step_lines(chart, runs, axis, key);
    if (!chart.series.empty()) charts.push_back(line_chart(chart));
  }
  return pair(charts);
}

}  // namespace

std::vector<std::string> accuracy_keys(const std::vector<RunLines>& runs) {
  return distinct(runs, [](const RunLines& run) {
    std::vector<std::string> keys;
    for (const auto& [key, values] : run.log.epochs) {
      if (is_accuracy(key) && finite_count(values) > 0) keys.push_back(key);
    }
    return keys;
  });
}

std::string curves(const std::vector<RunLines>& runs, const std::string& legend) {
  std::string switches, charts;
  for (const AxisChoice& axis : kAxes) {
    const std::string content = loss_charts(runs, axis) + other_charts(runs, axis);
    if (content.empty()) continue;
    switches += fmt::format(
        "<input type=\"radio\" name=\"axis\" id=\"{}\"{}><label for=\"{}\">over "
        "{}</label>\n",
        axis.id, &axis == kAxes.data() ? " checked=\"checked\"" : "", axis.id, axis.name);
    charts += fmt::format("<div class=\"over {}\"><h3>Over {}</h3>\n{}</div>\n", axis.id, axis.name,
                          content);
  }
  if (charts.empty()) return {};
  return "<div class=\"axes\">\n" + switches + legend + charts + "</div>\n";
}

}  // namespace fcm::viz::report
