#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/patch_loss/op.h"

namespace fcm::ops {
namespace {

struct Sizes {
  int64_t batch, views, hidden, slots, values;
  PatchError error = PatchError::kSquared;
};

at::Tensor targets_of(const Sizes& sizes, const at::Tensor& predictions) {
  const auto wide = predictions.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return case_values({sizes.batch, sizes.slots, sizes.values}, wide, 77).to(predictions.device());
}

// A different slot for every prediction of a view, unordered.
at::Tensor slots_of(const Sizes& sizes, const at::Tensor& predictions) {
  const at::Tensor index_GH =
      at::arange(sizes.views * sizes.hidden, predictions.options().dtype(at::kLong))
          .view({sizes.views, -1});
  return (index_GH * 5 + 3) % sizes.slots;
}

OpCase make(std::string name, const Sizes& sizes) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [sizes](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{
        case_values({sizes.batch, sizes.views, sizes.hidden, sizes.values}, dtype, seed)};
  };
  result.run = [sizes](const OpCase::Inputs& in) {
    const at::Tensor sum =
        patch_loss(in[0], targets_of(sizes, in[0]), slots_of(sizes, in[0]), sizes.error);
    return sum.to(in[0].scalar_type());
  };
  result.reference = [sizes](const OpCase::Inputs& in) {
    const at::Tensor sum =
        patch_loss_reference(in[0], targets_of(sizes, in[0]), slots_of(sizes, in[0]), sizes.error);
    return sum.to(in[0].scalar_type());
  };
  const auto elements =
      static_cast<double>(sizes.batch * sizes.views * sizes.hidden * sizes.values);
  result.forward_flops = 3 * elements;
  result.forward_elements = 2 * elements;
  return result;
}

}  // namespace

OpCases patch_loss_cases() {
  OpCases all{"patch_loss", {}, {}};
  all.cases.push_back(timed(make("base", {2, 4, 147, 196, 768})));
  all.cases.push_back(make("one_view_of_unequal_ones", {3, 1, 11, 16, 48}));
  all.cases.push_back(make("no_predictions", {0, 4, 3, 4, 12}));
  all.cases.push_back(make("absolute", {2, 1, 22, 36, 300, PatchError::kAbsolute}));
  all.cases.push_back(by_differences(make("remainder", {2, 2, 3, 7, 5})));
  all.cases.push_back(
      by_differences(make("absolute_remainder", {2, 1, 3, 7, 5, PatchError::kAbsolute})));
  return all;
}

}  // namespace fcm::ops
