#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/nms/op.h"

namespace fcm::ops {
namespace {

struct NmsCase {
  int64_t boxes, groups;
  int64_t objects;  // number of objects around which the boxes lie
  double threshold;
  double frame = 1024;
};

// Boxes around some objects, as a detector predicts them, assigned to the groups in turn.
OpCase::Inputs boxes_around(const NmsCase& c, at::ScalarType dtype, uint64_t seed) {
  const at::Tensor object_N = at::arange(c.boxes, at::kLong).remainder(c.objects);
  const at::Tensor centres_N2 =
      case_values({c.objects, 2}, at::kDouble, seed, c.frame / 4).index_select(0, object_N);
  const at::Tensor sides_N2 =
      case_values({c.objects, 2}, at::kDouble, seed + 1).exp().index_select(0, object_N) *
      (c.frame / 20);
  const at::Tensor moved_N2 =
      centres_N2 + case_values({c.boxes, 2}, at::kDouble, seed + 2, 0.2) * sides_N2;
  const at::Tensor halves_N2 =
      sides_N2 * case_values({c.boxes, 2}, at::kDouble, seed + 3, 0.2).exp() / 2;
  return {at::cat({moved_N2 - halves_N2, moved_N2 + halves_N2}, 1).to(dtype),
          case_values({c.boxes}, dtype, seed + 4),
          at::arange(c.boxes, at::kLong).mul(7).remainder(c.groups)};
}

// The kept boxes, in the type of the inputs; the operator itself takes no bfloat16.
template <class Nms>
at::Tensor chosen(const Nms& choose, const OpCase::Inputs& in, double threshold) {
  const at::Tensor boxes = in[0].detach();
  const auto wide = c10::promoteTypes(boxes.scalar_type(), at::kFloat);
  return boxes.index_select(0, choose(boxes.to(wide), in[1].detach(), in[2], threshold));
}

OpCase make(std::string name, const NmsCase& c) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [c](at::ScalarType dtype, uint64_t seed) { return boxes_around(c, dtype, seed); };
  result.run = [c](const OpCase::Inputs& in) { return chosen(nms, in, c.threshold); };
  result.reference = [c](const OpCase::Inputs& in) {
    return chosen(nms_reference, in, c.threshold);
  };
  // Counts every pair of a group once, also pairs that a kernel skips.
  const auto of_group = static_cast<double>(c.boxes) / static_cast<double>(c.groups);
  result.forward_flops = 13 * static_cast<double>(c.boxes) * of_group / 2;
  result.forward_elements = 6 * static_cast<double>(c.boxes);
  return result;
}

}  // namespace

OpCases nms_cases() {
  OpCases all{"nms", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("rpn_level", {2000, 1, 150, 0.7})));
  cases.push_back(timed(make("rpn_four_levels", {8000, 4, 200, 0.7})));
  cases.push_back(timed(make("box_head", {3000, 80, 60, 0.5})));
  cases.push_back(make("several_rounds", {700, 2, 40, 0.5}));
  cases.push_back(make("one_group", {300, 1, 9, 0.3}));
  cases.push_back(make("groups_of_one", {40, 40, 1, 0.5}));
  cases.push_back(make("one_box", {1, 1, 1, 0.5}));
  cases.push_back(make("no_boxes", {0, 1, 1, 0.5}));
  return all;
}

}  // namespace fcm::ops
