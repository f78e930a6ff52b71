// Differences between the tensors of a file and those that a model expects. Private to this folder.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"
#include "fcm/train/state.h"

namespace fcm::train {

// Collects all differences, so that one error reports them.
class Mismatches {
 public:
  explicit Mismatches(LoadRules rules = {}) : rules_(std::move(rules)) {}

  // The tensor called `name`. If it is missing or has another shape, records that and returns
  // nullptr.
  const formats::TensorView* take(const formats::TensorFile& file, const std::string& name,
                                  const std::vector<int64_t>& shape);

  // Throws Error(kCheckpoint) if expected tensors were missing or mis-shaped, or if the file has
  // tensors that were not expected, unless the rules allow it. The message names `source`, counts
  // tensors by module and shows the first three of each kind of mismatch.
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

// Modules with the number of their tensors, in order of first appearance: "blocks.* (24),
// mask_token". The module of "blocks.0.norm1.weight" is the part before the first number
// ("blocks"); in a name without numbers, it is the part before the last dot.
std::string counted_by_module(const std::vector<std::string>& names);

}  // namespace fcm::train
