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

  // The tensor called `name`; nullptr if it is missing or has another shape, which is noted.
  const formats::TensorView* take(const formats::TensorFile& file, const std::string& name,
                                  const std::vector<int64_t>& shape);

  // Throws Error(kCheckpoint) if expected tensors were missing or mis-shaped, or the file has
  // others, unless the rules allow it. The message counts tensors by module and shows the first
  // three of each kind of mismatch; `source` is named in it.
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
// mask_token". A module is the part of a name before its first number, or before its last word.
std::string counted_by_module(const std::vector<std::string>& names);

}  // namespace fcm::train
