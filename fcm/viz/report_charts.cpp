// The report's sections with charts of the log, and with the comparison of accuracies.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/viz/chart.h"
#include "fcm/viz/chart_layout.h"
#include "fcm/viz/sections.h"
#include "fcm/viz/text.h"

namespace fcm::viz::report {

namespace {

LineChart over_steps(const char* title, const char* unit) {
  LineChart chart = line_chart_over("step", title, unit);
  chart.whole_x = true;
  return chart;
}

// With 20 or more values adds a smoothed line over faint raw values and returns true; otherwise
// adds the raw values alone and returns false.
bool add_smoothed(LineChart& chart, const std::string& name, const std::vector<double>& x,
                  const std::vector<double>& y) {
  const size_t count = finite_count(y);
  const Series raw{name, x, y, count >= 20, count <= 12};
  chart.series.push_back(raw);
  if (count < 20) return false;
  chart.series.back().name.clear();
  chart.series.push_back(smoothed({name, x, y, false, false}, std::max<size_t>(9, count / 25)));
  return true;
}

bool is_method(const std::string& key) { return key == "knn" || key == "linprobe"; }

// Adds a group of bars, one accuracy per series; false if the object has none of them.
bool read_bars(const nlohmann::json& object, const std::string& label, BarChart& chart) {
  BarGroup group{label, {}};
  for (const std::string& key : chart.series) group.values.push_back(number_at(object, key));
  if (finite_count(group.values) == 0) return false;
  chart.groups.push_back(std::move(group));
  return true;
}

void read_features(const nlohmann::json& features, BarChart& chart) {
  if (!features.is_object()) return;
  for (const auto& [outer, inside] : features.items()) {
    if (!inside.is_object()) continue;
    for (const auto& [inner, numbers] : inside.items()) {
      const std::string& method = is_method(outer) ? outer : inner;
      const std::string& feature = is_method(outer) ? inner : outer;
      read_bars(numbers, method_name(method) + ", " + method_name(feature), chart);
    }
  }
  std::stable_sort(chart.groups.begin(), chart.groups.end(),
                   [](const BarGroup& a, const BarGroup& b) {
                     return a.label.starts_with("kNN") > b.label.starts_with("kNN");
                   });
}

// One sentence per method: top-1 with pretrained features and with the baselines.
std::string lead(const nlohmann::json& summary) {
  std::string out;
  for (const char* method : {"knn", "linprobe"}) {
    if (!summary.contains(method)) continue;
    const nlohmann::json& numbers = summary[method];
    const double pretrained = number_at(numbers, "pretrained");
    if (!std::isfinite(pretrained)) continue;
    out += fmt::format("<p class=\"lead\">{}: <b>{:.1f} %</b> top-1 with pretrained features",
                       method_name(method), pretrained);
    std::string sign = ", ";
    for (const auto& [key, name] :
         {std::pair{"raw", "raw pixels"}, {"untrained", "an untrained encoder"}}) {
      const double other = number_at(numbers, key);
      if (!std::isfinite(other)) continue;
      out += fmt::format("{}{:.1f} with {}", sign, other, name);
      sign = " and ";
    }
    out += ".</p>\n";
  }
  return out;
}

// Adds the chart of a segmenter's pixel accuracy in training, if it was logged.
void add_pixel_accuracy(const RunLog& log, std::vector<std::string>& charts) {
  if (!log.has_step_numbers("decode_acc")) return;
  LineChart right = over_steps("Pixel accuracy in training", "%");
  add_smoothed(right, "", log.step_column("step"), log.step_column("decode_acc"));
  charts.push_back(line_chart(right));
}

}  // namespace

std::string results(const ReportInput& input) {
  std::string out;
  const nlohmann::json& summary = input.summary;
  if (summary.is_object()) {
    out += lead(summary);
    const bool has_lead = !out.empty();
    out += segmentation_lead(summary);
    BarChart chart{"Top-1 accuracy", "%", {"raw", "untrained", "pretrained"}, {}, 1, 100};
    if (summary.contains("features")) read_features(summary["features"], chart);
    const bool several = !chart.groups.empty();
    if (!several) {
      for (const char* method : {"knn", "linprobe"}) {
        if (summary.contains(method)) read_bars(summary[method], method_name(method), chart);
      }
    }
    chart.series = {"raw pixels", "untrained", "pretrained"};
    if (!chart.groups.empty()) out += wide(chart);
    if (has_lead && several) {
      out +=
          "<p class=\"note\">Each number in the sentences is for the better of the features "
          "shown here.</p>\n";
    }
  }
  for (const ReportTable& one : input.tables) out += table(one);
  return out;
}

std::string accuracy(const RunLog& log) {
  // Over steps, like all other curves; over epochs if a line has no step.
  const std::vector<double> steps = log.epoch_column("step");
  const bool by_step = finite_count(steps) == log.epoch_count;
  const std::vector<double> places = by_step ? steps : log.epoch_column("epoch");
  LineChart chart = over_steps("Accuracy", "%");
  if (!by_step) chart.x_label = "epoch";
  chart.height = 280;
  for (const auto& [key, values] : log.epochs) {
    if (!is_accuracy(key) || finite_count(values) == 0) continue;
    std::vector<double> x;  // without epochs that have no measurement, so the line has no gaps
    std::vector<double> y;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) continue;
      x.push_back(places[i]);
      y.push_back(values[i]);
    }
    const bool dots = y.size() <= 40;
    chart.series.push_back({accuracy_name(key), std::move(x), std::move(y), false, dots});
  }
  return chart.series.empty() ? std::string() : wide(chart);
}

std::string training(const RunLog& log) {
  const std::vector<double> steps = log.step_column("step");
  std::string out;
  if (log.has_step_numbers("loss")) {
    LineChart chart = over_steps("Loss", "");
    chart.height = 320;
    chart.trim_outliers = true;
    if (add_smoothed(chart, "", steps, log.step_column("loss"))) {
      chart.series.front().name = "as logged";
      chart.series.back().name = "smoothed";
    }
    out += wide(chart);
  }
  LineChart targets = over_steps("Parts of the loss", "");
  targets.trim_outliers = true;
  for (const auto& [key, values] : log.steps) {
    if (!key.starts_with("loss_") || finite_count(values) == 0) continue;
    add_smoothed(targets, key.substr(5), steps, values);
  }
  std::vector<std::string> small;
  if (!targets.series.empty()) small.push_back(line_chart(targets));
  add_pixel_accuracy(log, small);
  if (log.has_step_numbers("lr")) {
    LineChart chart = over_steps("Learning rate", "");
    chart.from_zero = true;
    chart.series.push_back({"", steps, log.step_column("lr"), false, false});
    small.push_back(line_chart(chart));
  }
  if (log.has_step_numbers("grad_norm")) {
    LineChart chart = over_steps("Gradient norm", "log scale");
    chart.scale = Scale::kLog;
    chart.trim_outliers = true;
    add_smoothed(chart, "", steps, log.step_column("grad_norm"));
    small.push_back(line_chart(chart));
  }
  return out + pair(small);
}

std::string throughput(const RunLog& log) {
  const std::vector<double> steps = log.step_column("step");
  std::vector<std::string> charts;
  if (log.has_step_numbers("images_per_second")) {
    LineChart chart = over_steps("Images per second", "");
    chart.from_zero = true;
    chart.series.push_back({"", steps, log.step_column("images_per_second"), false, false});
    charts.push_back(line_chart(chart));
  }
  if (log.has_step_numbers("slowest_rank_images_per_second")) {
    LineChart chart = over_steps("Images per second of a rank, without waiting for others", "");
    chart.from_zero = true;
    for (const char* which : {"slowest", "fastest"}) {
      const std::string key = std::string(which) + "_rank_images_per_second";
      chart.series.push_back({which, steps, log.step_column(key), false, false});
    }
    charts.push_back(line_chart(chart));
  }
  if (log.has_step_numbers("rank_wait_seconds")) {
    LineChart chart = over_steps("Waiting for other ranks since the previous point", "s");
    chart.from_zero = true;
    chart.series.push_back({"", steps, log.step_column("rank_wait_seconds"), false, false});
    charts.push_back(line_chart(chart));
  }
  LineChart shares = over_steps("Shares", "%");
  shares.from_zero = true;
  if (log.has_step_numbers("data_wait")) {
    shares.title = "Time spent waiting for data";
    shares.series.push_back({"", steps, times(log.step_column("data_wait"), 100), false, false});
    charts.push_back(line_chart(shares));
  }
  if (log.has_step_numbers("utilisation")) {
    shares.title = "FLOP/s, share of the machine's peak";
    shares.series = {{"", steps, times(log.step_column("utilisation"), 100), false, false}};
    charts.push_back(line_chart(shares));
  }
  if (log.has_step_numbers("memory_bytes")) {
    LineChart chart = over_steps("Memory", "MiB");
    chart.from_zero = true;
    chart.series.push_back(
        {"", steps, times(log.step_column("memory_bytes"), 1.0 / (1 << 20)), false, false});
    charts.push_back(line_chart(chart));
  }
  return pair(charts);
}

}  // namespace fcm::viz::report
