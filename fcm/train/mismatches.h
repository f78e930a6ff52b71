// What does not fit between the tensors of a file and those that a model wants. Private to this
// folder.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"
#include "fcm/train/state.h"

namespace fcm::train {

// Collects everything, so that it can be said at once.
class Mismatches {
 public:
  explicit Mismatches(LoadRules rules = {}) : rules_(std::move(rules)) {}

  // The tensor called `name`, or nullptr after noting what is wrong.
  const formats::TensorView* take(const formats::TensorFile& file, const std::string& name,
                                  const std::vector<int64_t>& shape);

  // Throws Error(kCheckpoint) unless all wanted tensors were taken, and the rules allow those that
  // were not, and those of the file that nobody wanted. The message counts tensors by module and
  // shows the first three of each fault; `source` is named in it.
  void check(const formats::TensorFile& file, const std::string& source) const;

 private:
  const LoadRules rules_;
  std::set<std::string> expected_;
  std::vector<std::string> missing_;
  struct Misshaped {
    std::string name, shapes;
  };
  std::vector<Misshaped> misshaped_;
};

// The modules of tensors with how many each has, in the order of their first: "blocks.* (24),
// mask_token". A module is what stands before the first number of a name, or before its last word.
std::string counted_by_module(const std::vector<std::string>& names);

}  // namespace fcm::train
