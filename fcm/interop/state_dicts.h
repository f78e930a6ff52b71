// Finds the dicts of tensors in a PyTorch file. Links no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/pth.h"

namespace fcm::interop {

// The tensors of one dict in a file, under their names there.
struct NamedTensors {
  std::string key;  // path of the dict in the file: "state_dict_ema"; empty: top level
  std::vector<formats::TensorView> tensors;
  std::string remark = {};  // set by weight_sets.h: a sentence about the program that wrote them
};

// The dicts of a PyTorch file that hold tensors, in the order of the file, without optimizers. A
// pickled module counts as a dict, with the names of its state_dict.
std::vector<NamedTensors> state_dicts(const formats::PthFile& file);

// "path.step", or `step` alone if the path is empty.
std::string joined(const std::string& path, std::string_view step);

}  // namespace fcm::interop
