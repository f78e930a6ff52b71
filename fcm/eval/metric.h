// The metric that decides which checkpoint is the best.
#pragma once

#include <string>

namespace fcm::eval {

struct Metric {
  std::string name;  // as in the log: "test_acc1"
  double value = 0;
  bool higher_is_better = true;

  bool better_than(const Metric& other) const {
    return higher_is_better ? value > other.value : value < other.value;
  }
};

}  // namespace fcm::eval
