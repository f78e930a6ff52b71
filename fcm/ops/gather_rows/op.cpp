#include "fcm/ops/gather_rows/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/gather_rows/passes.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class GatherRows : public torch::autograd::Function<GatherRows> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows_RC,
                            const at::Tensor& indices_NT) {
    context->save_for_backward({indices_NT});
    context->saved_data["rows"] = rows_RC.size(0);
    return gathered(rows_RC.contiguous(), indices_NT);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {summed_by_row(gradients[0].contiguous(), context->get_saved_variables()[0],
                          context->saved_data["rows"].toInt()),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor gather_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT) {
  const auto type = rows_RC.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "gather_rows: expected float32, bfloat16 or float64, got {}", at::toString(type));
  require(
      rows_RC.dim() == 2 && indices_NT.dim() == 2 && indices_NT.scalar_type() == at::kLong,
      "gather_rows: expected a matrix and int64 indices [N, T], got {} and {} dimensions, indices "
      "of {}",
      rows_RC.dim(), indices_NT.dim(), at::toString(indices_NT.scalar_type()));
  if (reference_ops()) return gather_rows_reference(rows_RC, indices_NT);
  return GatherRows::apply(rows_RC, indices_NT);
}

}  // namespace fcm::ops
