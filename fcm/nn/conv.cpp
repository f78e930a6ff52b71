#include "fcm/nn/conv.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/nn/conv_passes.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/linear/products.h"

namespace fcm::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What backward needs of a convolution besides its tensors.
struct ConvPlan : torch::CustomClassHolder {
  std::function<at::Tensor(const std::vector<at::Tensor>&)> make;
  size_t sources = 0, coarser = 0;
  ConvStep step;
};

// A range of input channels of a weight [O, side * side * I]: [O, side, side, count].
at::Tensor channels_of(const at::Tensor& weight, int64_t side, int64_t first, int64_t count) {
  return weight.view({weight.size(0), side, side, -1}).narrow(3, first, count);
}

class ConvOfMaps : public torch::autograd::Function<ConvOfMaps> {
 public:
  static at::Tensor forward(AutogradContext* context, at::TensorList sources,
                            at::TensorList coarser, const at::Tensor& weight,
                            const at::Tensor& rounded, const c10::intrusive_ptr<ConvPlan>& plan) {
    const at::Tensor x = plan->make(sources.vec()).contiguous();
    const at::Tensor used = ops::weight_for(x, weight, rounded);
    variable_list saved = sources.vec();
    saved.insert(saved.end(), coarser.begin(), coarser.end());
    saved.push_back(used);
    context->save_for_backward(saved);
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    context->saved_data["weight_type"] = static_cast<int64_t>(weight.scalar_type());

    const int64_t side = plan->step.side;
    at::Tensor y = conv_forward(x, channels_of(used, side, 0, x.size(3)), plan->step);
    if (coarser.empty()) return y;
    y = y.to(at::promote_types(x.scalar_type(), at::kFloat));
    int64_t first = x.size(3);
    for (const at::Tensor& map : coarser) {
      add_conv_of_upsampled(map, channels_of(used, side, first, map.size(3)), y);
      first += map.size(3);
    }
    return y.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held = context->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<ConvPlan&>(*held);
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& used = saved.back();
    const at::Tensor dy = gradients[0].contiguous();
    const int64_t side = plan.step.side;
    const auto wanted = [&](size_t input) { return context->needs_input_grad(input); };

    variable_list results(plan.sources + plan.coarser + 3);
    at::Tensor dweight = at::empty(used.sizes(), used.options().dtype(static_cast<at::ScalarType>(
                                                     context->saved_data["weight_type"].toInt())));
    const variable_list leaves = leaves_of(plan, saved, wanted);
    int64_t first = 0;
    {
      const at::Tensor x = recomputed(plan, leaves);
      const bool wants_dx = x.requires_grad();
      const at::Tensor x_values = x.detach().contiguous();
      const int64_t channels = x_values.size(3);
      ConvGradients fine =
          conv_backward(x_values, channels_of(used, side, 0, channels), dy, plan.step, wants_dx);
      channels_of(dweight, side, 0, channels).copy_(fine.dweight_O33I);
      first += channels;
      if (wants_dx) backward_to_sources(x, leaves, fine.dx_BHWI, results);
    }
    const at::Tensor wide =
        plan.coarser == 0 ? dy : dy.to(at::promote_types(dy.scalar_type(), at::kFloat));
    for (size_t i = plan.sources; i < plan.sources + plan.coarser; ++i) {
      const int64_t channels = saved[i].size(3);
      const ConvGradients coarse = conv_of_upsampled_backward(
          saved[i], channels_of(used, side, first, channels), wide, wanted(i));
      channels_of(dweight, side, first, channels).copy_(coarse.dweight_O33I);
      results[i] = coarse.dx_BHWI;
      first += channels;
    }
    results[plan.sources + plan.coarser] = dweight;
    return results;
  }

 private:
  template <class Wanted>
  static variable_list leaves_of(const ConvPlan& plan, const variable_list& saved,
                                 const Wanted& wanted) {
    variable_list leaves;
    for (size_t i = 0; i < plan.sources; ++i) {
      leaves.push_back(saved[i].detach());
      leaves.back().set_requires_grad(wanted(i));
    }
    return leaves;
  }

  static at::Tensor recomputed(const ConvPlan& plan, const variable_list& leaves) {
    const at::AutoGradMode with_gradients(true);
    return plan.make(leaves);
  }

  // Backward from the map to the sources that it was computed from.
  static void backward_to_sources(const at::Tensor& x, const variable_list& leaves,
                                  const at::Tensor& dx, variable_list& results) {
    if (x.is_same(leaves[0])) {
      results[0] = dx;
      return;
    }
    variable_list wanted;
    for (const at::Tensor& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const variable_list found = torch::autograd::grad({x}, wanted, {dx});
    for (size_t i = 0, next = 0; i < leaves.size(); ++i) {
      if (leaves[i].requires_grad()) results[i] = found[next++];
    }
  }
};

at::Tensor apply_conv(const Recomputed& x, const std::vector<at::Tensor>& coarser,
                      const at::Tensor& weight, const at::Tensor& rounded, const ConvStep& step) {
  auto plan = c10::make_intrusive<ConvPlan>();
  plan->make = x.make;
  plan->sources = x.from.size();
  plan->coarser = coarser.size();
  plan->step = step;
  return ConvOfMaps::apply(at::TensorList(x.from), at::TensorList(coarser), weight, rounded, plan);
}

std::vector<int64_t> published_shape(const ConvShape& shape) {
  return {shape.out, shape.in, shape.side, shape.side};
}

}  // namespace

Conv::Conv(const Scope& scope, const ConvShape& shape, ConvStart start)
    : shape_(shape),
      weight_(add_weight(scope, published_shape(shape), start,
                         {Layout::Kind::kMergeCells, row_by_row(shape.side)})),
      bias_O_(shape.bias ? add_bias(scope, shape.out, published_shape(shape), start)
                         : at::zeros({shape.out}, weight_.options().requires_grad(false))),
      rounded_(scope.rounded("weight")) {}

at::Tensor Conv::operator()(const at::Tensor& x_BHWI) const {
  if (shape_.side == 1 && shape_.stride == 1) {
    return ops::linear(x_BHWI, weight_, bias_O_, rounded_);
  }
  return (*this)(Recomputed(x_BHWI));
}

at::Tensor Conv::operator()(const Recomputed& x) const { return of_maps(x, {}); }

at::Tensor Conv::of_maps(const Recomputed& first, const std::vector<at::Tensor>& coarser) const {
  require(coarser.empty() || (shape_.side == 3 && shape_.stride == 1 && shape_.padding == 1),
          "Conv::of_maps: got side {}, stride {}, expected side 3, stride 1 and padding 1",
          shape_.side, shape_.stride);
  const at::Tensor& source = first.from[0];
  const int64_t least = shape_.side - 2 * shape_.padding;
  if (source.size(1) < least || source.size(2) < least) {
    fail(ExitCode::kUsage,
         "a map of {} x {} positions is smaller than the {} x {} window of the convolution on it; "
         "use larger images",
         source.size(1), source.size(2), shape_.side, shape_.side);
  }
  const at::Tensor y =
      apply_conv(first, coarser, weight_, rounded_, {shape_.side, shape_.stride, shape_.padding});
  return shape_.bias ? y + bias_O_.to(y.scalar_type()) : y;
}

ConvNormAct::ConvNormAct(const Scope& scope, const ConvShape& shape)
    : ConvNormAct(scope / "conv", scope / "bn", {.shape = shape}) {}

ConvNormAct::ConvNormAct(const Scope& conv, const Scope& norm, const ConvNormOptions& options)
    : conv_(conv, options.shape, options.start),
      norm_(norm, options.shape.out, options.norm),
      relu_(options.relu) {}

at::Tensor ConvNormAct::operator()(const at::Tensor& x_BHWI, const Ranks& ranks) const {
  return deferred(conv_(x_BHWI), ranks).value();
}

Recomputed ConvNormAct::operator()(const Recomputed& x, const Ranks& ranks) const {
  return deferred(conv_(x), ranks);
}

Recomputed ConvNormAct::deferred(const at::Tensor& convolved_BHWO, const Ranks& ranks) const {
  return norm_(convolved_BHWO, ranks, relu_);
}

}  // namespace fcm::nn
