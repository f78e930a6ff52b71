#include <ATen/ATen.h>

#include "fcm/ops/gather_rows/op.h"

namespace fcm::ops {

at::Tensor gather_rows_reference(const at::Tensor& rows_RC, const at::Tensor& indices_NT) {
  return rows_RC.index_select(0, indices_NT.reshape({-1}))
      .view({indices_NT.size(0), indices_NT.size(1), rows_RC.size(1)});
}

}  // namespace fcm::ops
