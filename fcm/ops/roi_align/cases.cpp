#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "fcm/ops/roi_align/op.h"

namespace fcm::ops {
namespace {

struct RoiCase {
  int64_t images, rows, cols;  // rows and columns of an image, in pixels
  int64_t channels, rois, bins;
  std::vector<int64_t> strides = {4, 8, 16, 32};
  double smallest = 12, largest = 600;  // sides of boxes, in pixels
  bool any_level = false;               // levels in turn instead of by size
};

// Inputs of a call besides the maps.
struct RoiInputs {
  at::Tensor boxes_R4, image_R, level_R;
  std::vector<double> scales;
};

// Values in [0, 1).
at::Tensor uniform_numbers(int64_t count, uint64_t seed) {
  return case_values({count}, at::kDouble, seed).mul(100).remainder(1);
}

RoiInputs boxes_in_frame(const RoiCase& c) {
  const auto rows = static_cast<double>(c.rows), cols = static_cast<double>(c.cols);
  const at::Tensor shape_R = uniform_numbers(c.rois, 14).sub(0.5).exp();  // width / side
  const at::Tensor side_R =
      (uniform_numbers(c.rois, 11) * std::log(c.largest / c.smallest)).exp() * c.smallest;
  const at::Tensor x_R = uniform_numbers(c.rois, 12) * cols,
                   y_R = uniform_numbers(c.rois, 13) * rows;
  const at::Tensor width_R = side_R * shape_R, height_R = side_R / shape_R;
  RoiInputs inputs;
  inputs.boxes_R4 =
      at::stack({(x_R - width_R / 2).clamp(-6, cols), (y_R - height_R / 2).clamp(-6, rows),
                 (x_R + width_R / 2).clamp(-6, cols + 6), (y_R + height_R / 2).clamp(-6, rows + 6)},
                1)
          .to(at::kFloat);
  inputs.image_R = at::arange(c.rois, at::kLong).mul(5).remainder(c.images);
  const auto levels = static_cast<int64_t>(c.strides.size());
  inputs.level_R = c.any_level ? at::arange(c.rois, at::kLong).remainder(levels)
                               : pyramid_levels(inputs.boxes_R4, 2, 1 + levels);
  for (const int64_t stride : c.strides) inputs.scales.push_back(1 / static_cast<double>(stride));
  return inputs;
}

double samples_of_all(const RoiCase& c, const RoiInputs& inputs) {
  const at::Tensor scale_R =
      at::tensor(inputs.scales, at::kDouble).index_select(0, inputs.level_R).unsqueeze(1);
  const at::Tensor sides_R2 =
      (inputs.boxes_R4.narrow(1, 2, 2) - inputs.boxes_R4.narrow(1, 0, 2)).to(at::kDouble) * scale_R;
  const at::Tensor samples_R2 = sides_R2.div(static_cast<double>(c.bins)).ceil().clamp_min(0);
  return samples_R2.prod(1).sum().item<double>() * static_cast<double>(c.bins * c.bins);
}

OpCase make(std::string name, const RoiCase& c) {
  OpCase result;
  result.name = std::move(name);
  const RoiInputs cut = boxes_in_frame(c);
  result.inputs = [c](at::ScalarType dtype, uint64_t seed) {
    OpCase::Inputs maps;
    for (const int64_t stride : c.strides) {
      maps.push_back(case_values({c.images, c.rows / stride, c.cols / stride, c.channels}, dtype,
                                 seed + static_cast<uint64_t>(stride)));
    }
    return maps;
  };
  const auto call = [c, cut](const auto& align, const OpCase::Inputs& in) {
    const auto device = in[0].device();
    return align(in, cut.boxes_R4.to(device), cut.image_R.to(device), cut.level_R.to(device),
                 cut.scales, c.bins);
  };
  result.run = [call](const OpCase::Inputs& in) { return call(roi_align, in); };
  result.reference = [call](const OpCase::Inputs& in) { return call(roi_align_reference, in); };
  const auto channels = static_cast<double>(c.channels);
  result.forward_flops = 8 * samples_of_all(c, cut) * channels;
  double cells = static_cast<double>(c.rois * c.bins * c.bins);
  for (const int64_t stride : c.strides) {
    cells += static_cast<double>(c.images * (c.rows / stride) * (c.cols / stride));
  }
  result.forward_elements = cells * channels;
  return result;
}

}  // namespace

OpCases roi_align_cases() {
  // The position of a sample is a sum of four values of up to 64 cells, each with an error of up to
  // 2^-19 in float32. This error is multiplied by the difference of two neighbouring cells.
  OpCases all{"roi_align", {.float32 = 1e-5, .float32_gradient = 2e-5}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("box_head_1024", {1, 1024, 1024, 256, 512, 7})));
  cases.push_back(timed(make("mask_head_1024", {1, 1024, 1024, 256, 128, 14})));
  cases.push_back(make("few_box_head", {1, 256, 256, 24, 60, 7}));
  cases.push_back(make("few_mask_head", {2, 128, 192, 40, 17, 14}));
  cases.push_back(make("channels_256", {1, 64, 64, 256, 12, 7}));
  cases.push_back(make("channels_19", {2, 96, 64, 19, 20, 7}));
  cases.push_back(make("any_level", {3, 64, 64, 5, 40, 7, {4, 8, 16, 32}, 2, 90, true}));
  cases.push_back(make("full_size_mask", {2, 40, 48, 1, 9, 28, {1}, 3, 60}));
  cases.push_back(make("no_rois", {1, 32, 32, 4, 0, 7}));
  cases.push_back(by_differences(make("small", {2, 24, 32, 3, 9, 3, {4, 8}, 2, 40, true})));
  cases.push_back(by_differences(make("one_bin", {1, 8, 8, 1, 6, 1, {2}, 1, 12})));
  return all;
}

}  // namespace fcm::ops
