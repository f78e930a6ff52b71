#include "fcm/viz/run_log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "fcm/base/stats.h"

namespace fcm::viz {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Lines = std::vector<const nlohmann::json*>;

// `lines` ascend by `key`. Removes lines with a value of at least `place`, which the next line
// replaces. True if there were any.
bool drop_replaced(Lines& lines, const std::string& key, double place) {
  const size_t before = lines.size();
  while (!lines.empty() && number_at(*lines.back(), key) >= place) lines.pop_back();
  return lines.size() < before;
}

RunLog::Columns columns_of(const Lines& lines) {
  RunLog::Columns columns;
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const auto& [key, value] : lines[i]->items()) {
      if (!value.is_number()) continue;
      columns.try_emplace(key, lines.size(), kNan).first->second[i] = value.get<double>();
    }
  }
  return columns;
}

std::vector<double> column(const RunLog::Columns& columns, const std::string& key, size_t count) {
  const auto found = columns.find(key);
  return found == columns.end() ? std::vector<double>(count, kNan) : found->second;
}

bool is_epoch(const nlohmann::json& line) {
  if (!std::isfinite(number_at(line, "epoch"))) return false;
  for (const auto& [key, value] : line.items()) {
    if (key == "train_loss" || key == "train_lr" || is_accuracy(key)) return true;
  }
  return false;
}

}  // namespace

std::string method_name(const std::string& key) {
  if (key == "knn") return "kNN";
  if (key == "linprobe" || key == "probe") return "Linear probe";
  if (key == "mean") return "mean token";
  if (key == "flattened") return "flattened tokens";
  std::string name = key;
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

double number_at(const nlohmann::json& object, const std::string& key) {
  if (!object.is_object()) return kNan;
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : kNan;
}

std::string text_at(const nlohmann::json& object, const std::string& key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_float() && !std::isfinite(found->get<double>())) return {};
  return found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_accuracy(const std::string& key) {
  for (const char* mark :
       {"top1", "top5", "acc1", "acc5", "accuracy", "miou", "macc", "aacc", "box_ap", "mask_ap"}) {
    if (key.find(mark) != std::string::npos) return true;
  }
  return false;
}

std::string accuracy_name(std::string key) {
  for (const auto& [mark, name] : {std::pair{"_miou", " mean IoU"},
                                   {"_macc", " mean class accuracy"},
                                   {"_aacc", " pixel accuracy"},
                                   {"_box_ap", " AP of boxes"},
                                   {"_mask_ap", " AP of masks"},
                                   {"_box_ap50", " AP50 of boxes"},
                                   {"_mask_ap50", " AP50 of masks"}}) {
    if (!key.ends_with(mark)) continue;
    return method_name(key.substr(0, key.size() - std::string_view(mark).size())) + name;
  }
  for (const char* mark : {"_top1", "_top5", "_acc1", "_acc5"}) {
    const size_t at = key.find(mark);
    if (at == std::string::npos) continue;
    return method_name(key.substr(0, at)) + " top-" + mark[4] + method_name(key.substr(at + 5));
  }
  return method_name(key);
}

size_t finite_count(const std::vector<double>& values) {
  return static_cast<size_t>(std::count_if(values.begin(), values.end(),
                                           [](double value) { return std::isfinite(value); }));
}

double last_finite(const std::vector<double>& values) {
  const auto found = std::find_if(values.rbegin(), values.rend(),
                                  [](double value) { return std::isfinite(value); });
  return found == values.rend() ? kNan : *found;
}

double largest(const std::vector<double>& values) {
  double most = kNan;
  for (const double value : values) {
    if (std::isfinite(value)) most = std::fmax(most, value);
  }
  return most;
}

double median_of_finite(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  return values.empty() ? kNan : median(std::move(values));
}

std::vector<double> times(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

std::vector<double> RunLog::step_column(const std::string& key) const {
  return column(steps, key, step_count);
}

std::vector<double> RunLog::epoch_column(const std::string& key) const {
  return column(epochs, key, epoch_count);
}

bool RunLog::has_step_numbers(const std::string& key) const {
  const auto found = steps.find(key);
  return found != steps.end() && std::any_of(found->second.begin(), found->second.end(),
                                             [](double value) { return std::isfinite(value); });
}

RunLog read_log(const std::vector<nlohmann::json>& lines) {
  RunLog log;
  Lines steps;
  Lines epochs;
  for (const nlohmann::json& line : lines) {
    if (!line.is_object()) {
      ++log.ignored;
    } else if (is_epoch(line)) {
      drop_replaced(epochs, "epoch", number_at(line, "epoch"));
      epochs.push_back(&line);
    } else if (const double step = number_at(line, "step"); !std::isfinite(step)) {
      ++log.ignored;
    } else if (line.contains("loss") || line.contains("lr")) {
      log.restarts += drop_replaced(steps, "step", step) ? 1 : 0;
      steps.push_back(&line);
    }
  }
  log.step_count = steps.size();
  log.epoch_count = epochs.size();
  log.steps = columns_of(steps);
  log.epochs = columns_of(epochs);
  for (const nlohmann::json* line : steps) {
    log.non_finite += std::isfinite(number_at(*line, "loss")) ? 0 : 1;
  }
  return log;
}

}  // namespace fcm::viz
