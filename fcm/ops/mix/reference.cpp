#include <ATen/ATen.h>

#include "fcm/ops/mix/op.h"

namespace fcm::ops {

std::vector<at::Tensor> mix_reference(const std::vector<at::Tensor>& x,
                                      const at::Tensor& weight_JI) {
  const auto type = x.front().scalar_type();
  const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
  std::vector<at::Tensor> mixes;
  for (int64_t j = 0; j < weight_JI.size(0); ++j) {
    at::Tensor sum;
    for (int64_t i = 0; i < weight_JI.size(1); ++i) {
      const at::Tensor term = x[static_cast<size_t>(i)].to(wide) * weight_JI[j][i].to(wide);
      sum = sum.defined() ? sum + term : term;
    }
    mixes.push_back(sum.to(type));
  }
  return mixes;
}

}  // namespace fcm::ops
