// The parameters and running statistics of a learner's network, and their bitwise comparison.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <string>

namespace fcm::train {

template <class AnyLearner>
std::map<std::string, at::Tensor> values_of(const AnyLearner& learner) {
  std::map<std::string, at::Tensor> values;
  for (const auto& parameter : learner.model().parameters().all()) {
    values[parameter.name] = parameter.value.detach().clone();
  }
  return values;
}

inline bool same_values(const std::map<std::string, at::Tensor>& a,
                        const std::map<std::string, at::Tensor>& b) {
  return std::ranges::all_of(
      a, [&](const auto& each) { return at::equal(each.second, b.at(each.first)); });
}

}  // namespace fcm::train
