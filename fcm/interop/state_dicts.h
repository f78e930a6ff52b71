// The dicts of tensors in a PyTorch file. Links no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/pth.h"

namespace fcm::interop {

// The tensors of one dict in a file, under their names there.
struct NamedTensors {
  std::string key;  // key of the dict: "state_dict_ema"; empty: top level
  std::vector<formats::TensorView> tensors;
  std::string remark = {};  // a sentence about the program that writes such copies; usually empty
};

// The dicts of a PyTorch file that hold tensors, and pickled modules under the names of their
// state_dict, in the order of the file; optimizers excluded.
std::vector<NamedTensors> state_dicts(const formats::PthFile& file);

// "path.step", or `step` alone if the path is empty.
std::string joined(const std::string& path, std::string_view step);

}  // namespace fcm::interop
