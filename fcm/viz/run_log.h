// The lines of log.jsonl as columns, whatever is missing or broken in them.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::viz {

// A number of a JSON object; NaN where the key is missing, null or no number.
double number_at(const nlohmann::json& object, const std::string& key);

// Text of a JSON object; empty where the key is missing, null or not finite.
std::string text_at(const nlohmann::json& object, const std::string& key);

struct RunLog {
  using Columns = std::map<std::string, std::vector<double>>;

  Columns steps;          // one entry a step object; "step" is ascending
  Columns epochs;         // one entry an epoch object; "epoch" is ascending
  size_t step_count = 0;  // entries of every column of `steps`
  size_t epoch_count = 0;
  size_t ignored = 0;     // lines that nothing is known to be
  size_t restarts = 0;    // times the run went on from an earlier step
  size_t non_finite = 0;  // step objects whose loss is no finite number

  // The column, or NaNs where the log never had the key.
  std::vector<double> step_column(const std::string& key) const;
  std::vector<double> epoch_column(const std::string& key) const;
  bool has_step_numbers(const std::string& key) const;  // at least one finite
};

// An object with "train_loss", "train_lr" or an accuracy beside "epoch" is an epoch object; another
// one with "step" and "loss" or "lr" is a step object; one with "step" alone tells of an event,
// such as a replaced image, and is passed over. A run that was resumed logs some steps or epochs
// twice: the later lines count.
RunLog read_log(const std::vector<nlohmann::json>& lines);

// knn_top1, linprobe_top5, probe_accuracy, test_miou, test_box_ap, ...
bool is_accuracy(const std::string& key);

// "kNN" of "knn", "Linear probe", "mean token"; another key with blanks for its underlines.
std::string method_name(const std::string& key);

// "kNN top-1" of "knn_top1", "test top-1" of "test_acc1", as the published programs call it;
// another key with blanks for its underlines.
std::string accuracy_name(std::string key);

// Of those numbers that are finite: how many, the last, the largest, the median; NaN of none.
size_t finite_count(const std::vector<double>& values);
double last_finite(const std::vector<double>& values);
double largest(const std::vector<double>& values);
double median_of_finite(std::vector<double> values);

std::vector<double> times(std::vector<double> values, double factor);

}  // namespace fcm::viz
