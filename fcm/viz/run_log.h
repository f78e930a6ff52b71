// Reads the lines of log.jsonl as columns. Missing and invalid values become NaN.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::viz {

// The number with this key in a JSON object; NaN if it is missing, null or not a number.
double number_at(const nlohmann::json& object, const std::string& key);

// The value with this key in a JSON object as text; empty if it is missing, null or non-finite.
std::string text_at(const nlohmann::json& object, const std::string& key);

struct RunLog {
  using Columns = std::map<std::string, std::vector<double>>;

  Columns steps;          // one entry per step object; "step" is ascending
  Columns epochs;         // one entry per epoch object; "epoch" is ascending
  size_t step_count = 0;  // entries of every column of `steps`
  size_t epoch_count = 0;
  size_t ignored = 0;     // lines of unknown kind
  size_t restarts = 0;    // times the run resumed from an earlier step
  size_t non_finite = 0;  // step objects with a non-finite loss

  // The column of a key; all NaN if no line has the key.
  std::vector<double> step_column(const std::string& key) const;
  std::vector<double> epoch_column(const std::string& key) const;
  bool has_step_numbers(const std::string& key) const;  // at least one finite
};

// A line with "epoch" and "train_loss", "train_lr" or an accuracy is an epoch object. Another line
// with "step" and "loss" or "lr" is a step object. A line with "step" alone reports an event, such
// as a replaced image, and is skipped. A resumed run may log some steps or epochs twice: the later
// line is used.
RunLog read_log(const std::vector<nlohmann::json>& lines);

// Whether a key is an accuracy: knn_top1, linprobe_top5, probe_accuracy, test_miou, test_box_ap,
// ...
bool is_accuracy(const std::string& key);

// The displayed name of a method: "kNN" for "knn", "Linear probe" for "linprobe", "mean token" for
// "mean"; in other keys blanks replace underscores.
std::string method_name(const std::string& key);

// The displayed name of an accuracy: "kNN top-1" for "knn_top1", "test top-1" for "test_acc1" (a
// key of upstream), "test mean IoU" for "test_miou", "test AP of boxes" for "test_box_ap"; in other
// keys blanks replace underscores.
std::string accuracy_name(std::string key);

// The number of finite values; the last, the largest and the median of them (NaN if there are
// none).
size_t finite_count(const std::vector<double>& values);
double last_finite(const std::vector<double>& values);
double largest(const std::vector<double>& values);
double median_of_finite(std::vector<double> values);

std::vector<double> times(std::vector<double> values, double factor);

}  // namespace fcm::viz
