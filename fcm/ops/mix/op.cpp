#include "fcm/ops/mix/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::ScalarType wide_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Tensors of one size as the rows of a matrix [count, M].
at::Tensor rows_of_all(at::TensorList tensors) {
  const at::Tensor all = at::stack(tensors).view({static_cast<int64_t>(tensors.size()), -1});
  return all.to(wide_type(all));
}

variable_list tensors_of(const at::Tensor& rows_KM, const at::Tensor& like) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.insert(sizes.begin(), rows_KM.size(0));
  return rows_KM.to(like.scalar_type()).view(sizes).unbind(0);
}

// dy_JM * x_IM^T.
at::Tensor weight_gradient(const at::Tensor& dy_JM, const at::Tensor& x_IM) {
  constexpr int64_t kChunk = 16384;  // columns
  const int64_t whole = dy_JM.size(1) / kChunk * kChunk;
  const auto chunks = [&](const at::Tensor& rows_KM) {
    return rows_KM.narrow(1, 0, whole).unflatten(1, {whole / kChunk, kChunk}).transpose(0, 1);
  };
  const at::Tensor rest_JI = at::mm(dy_JM.slice(1, whole), x_IM.slice(1, whole).t());
  if (whole == 0) return rest_JI;
  return at::bmm(chunks(dy_JM), chunks(x_IM).transpose(1, 2)).sum(0) + rest_JI;
}

class Mix : public torch::autograd::Function<Mix> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& weight_JI,
                               at::TensorList x) {
    const at::Tensor x_IM = rows_of_all(x);
    variable_list saved(x.begin(), x.end());
    saved.push_back(weight_JI);
    context->save_for_backward(std::move(saved));
    const ProfileScope timed("mix", 2.0 * static_cast<double>(x_IM.numel() * weight_JI.size(0)), 0);
    return tensors_of(at::mm(weight_JI.to(x_IM.scalar_type()), x_IM), x.front());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list x = context->get_saved_variables();
    const at::Tensor weight_JI = x.back();
    x.pop_back();
    const at::Tensor x_IM = rows_of_all(x), dy_JM = rows_of_all(gradients);
    const ProfileScope timed("mix gradient",
                             4.0 * static_cast<double>(x_IM.numel() * dy_JM.size(0)), 0);
    variable_list result{weight_gradient(dy_JM, x_IM).to(weight_JI.scalar_type())};
    const variable_list dx =
        tensors_of(at::mm(weight_JI.to(x_IM.scalar_type()).t(), dy_JM), x.front());
    result.insert(result.end(), dx.begin(), dx.end());
    return result;
  }
};

}  // namespace

std::vector<at::Tensor> mix(const std::vector<at::Tensor>& x, const at::Tensor& weight_JI) {
  require(!x.empty() && weight_JI.dim() == 2 && weight_JI.size(0) > 0 &&
              weight_JI.size(1) == static_cast<int64_t>(x.size()),
          "mix: expected weights [J, {}], got {} dimensions, the last of {}", x.size(),
          weight_JI.dim(), weight_JI.size(-1));
  for (const at::Tensor& one : x) {
    require(one.sizes() == x.front().sizes() && one.scalar_type() == x.front().scalar_type(),
            "mix: expected tensors of one size and type, got {} and {} elements", x.front().numel(),
            one.numel());
  }
  if (x.front().numel() == 0 || reference_ops()) return mix_reference(x, weight_JI);
  return Mix::apply(weight_JI, at::TensorList(x));
}

}  // namespace fcm::ops
