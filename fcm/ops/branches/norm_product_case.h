// Test cases of operators made of one product and one norm.
#pragma once

#include "fcm/ops/branches/op.h"
#include "fcm/ops/cases.h"

namespace fcm::ops {

using NormProduct = at::Tensor (*)(const at::Tensor& x, const ProductWeights& product,
                                   const NormWeights& norm);

// A case with x of these sizes, a product from x's last dimension to `outputs`, and a norm over
// `normed` channels.
OpCase norm_product_case(std::string name, const std::vector<int64_t>& sizes, int64_t outputs,
                         int64_t normed, NormProduct run, NormProduct reference);

}  // namespace fcm::ops
