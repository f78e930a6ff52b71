#include "fcm/viz/run_log.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fcm::viz {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Lines = std::vector<const nlohmann::json*>;

// Takes back the lines, in ascending order, that the new one replaces. True if there were any.
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
  for (const char* mark : {"top1", "top5", "acc1", "acc5", "accuracy", "miou", "macc", "aacc"}) {
    if (key.find(mark) != std::string::npos) return true;
  }
  return false;
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
