#include "fcm/ops/gelu/op.h"

#include <ATen/ATen.h>

namespace fcm::ops {

at::Tensor gelu(const at::Tensor& x) { return at::gelu(x); }

}  // namespace fcm::ops
