#include "fcm/ops/cases.h"

#include <utility>

#include "fcm/ops/branches/norm_product_case.h"
#include "fcm/ops/norm_linear/op.h"

namespace fcm::ops {
namespace {

OpCase make(std::string name, const std::vector<int64_t>& sizes, int64_t outputs) {
  return norm_product_case(
      std::move(name), sizes, outputs, sizes.back(),
      [](const at::Tensor& x, const ProductWeights& product, const NormWeights& norm) {
        return norm_linear(x, norm, product);
      },
      [](const at::Tensor& x, const ProductWeights& product, const NormWeights& norm) {
        return norm_linear_reference(x, norm, product);
      });
}

}  // namespace

OpCases norm_linear_cases() {
  OpCases all{"norm_linear", {}, {}};
  all.cases.push_back(timed(make("base_prediction", {8, 147, 512}, 768)));
  all.cases.push_back(make("no_elements", {0, 4}, 6));
  all.cases.push_back(by_differences(make("remainder", {3, 5, 13}, 7)));
  return all;
}

}  // namespace fcm::ops
