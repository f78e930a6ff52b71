#include "fcm/ops/roi_align/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/roi_align/cuda.h"
#include "fcm/ops/roi_align/passes.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Each map is a separate input; `rois` and `isa` take no gradient.
class RoiAlignFunction : public torch::autograd::Function<RoiAlignFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, at::TensorList maps_BHWC, const Rois& rois,
                            int64_t isa) {
    std::vector<at::Tensor> maps;
    for (const at::Tensor& map : maps_BHWC) maps.push_back(map.contiguous());
    const RoiMaps sizes = sizes_of_maps(maps);
    std::vector<int64_t> numbers{sizes.images, sizes.channels};
    for (const auto& [rows, cols] : sizes.sides) {
      numbers.push_back(rows);
      numbers.push_back(cols);
    }
    context->save_for_backward({rois.boxes_R4, rois.image_R, rois.level_R});
    context->saved_data["scales"] = rois.scales;
    context->saved_data["bins"] = rois.bins;
    context->saved_data["sizes"] = numbers;
    context->saved_data["type"] = static_cast<int64_t>(sizes.type);
    context->saved_data["isa"] = isa;
    if (on_cuda(maps[0], {rois.boxes_R4, rois.image_R, rois.level_R})) {
      return roi_align_forward_on_gpu(maps, rois);
    }
    return roi_align_forward(static_cast<Isa>(isa), maps, rois);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Rois rois{saved[0], saved[1], saved[2], context->saved_data["scales"].toDoubleVector(),
                    context->saved_data["bins"].toInt()};
    const std::vector<int64_t> numbers = context->saved_data["sizes"].toIntVector();
    RoiMaps sizes{numbers[0],
                  numbers[1],
                  {},
                  static_cast<at::ScalarType>(context->saved_data["type"].toInt())};
    for (size_t i = 2; i < numbers.size(); i += 2) {
      sizes.sides.push_back({numbers[i], numbers[i + 1]});
    }
    const at::Tensor dout_RPPC = gradients[0].to(sizes.type).contiguous();
    variable_list result =
        on_cuda(dout_RPPC)
            ? roi_align_backward_on_gpu(dout_RPPC, rois, sizes)
            : roi_align_backward(static_cast<Isa>(context->saved_data["isa"].toInt()), dout_RPPC,
                                 rois, sizes);
    result.resize(result.size() + 2);  // no gradients for rois and isa
    return result;
  }
};

void check_maps(const std::vector<at::Tensor>& maps_BHWC, const std::vector<double>& scales) {
  require(
      !maps_BHWC.empty() && maps_BHWC.size() <= kMostRoiMaps && scales.size() == maps_BHWC.size(),
      "roi_align: got {} maps and {} scales, expected 1 to {} of both", maps_BHWC.size(),
      scales.size(), kMostRoiMaps);
  const auto type = maps_BHWC[0].scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "roi_align: expected float32, bfloat16 or float64, got {}", at::toString(type));
  for (const at::Tensor& map : maps_BHWC) {
    require(map.dim() == 4 && map.scalar_type() == type && map.size(1) > 0 && map.size(2) > 0 &&
                map.size(0) == maps_BHWC[0].size(0) && map.size(3) == maps_BHWC[0].size(3),
            "roi_align: expected maps [B, H, W, C] of equal type, B and C, with H and W > 0");
  }
}

void check_rois(const at::Tensor& boxes_R4, const at::Tensor& image_R, const at::Tensor& level_R,
                bool wide, int64_t images, int64_t levels, int64_t bins) {
  const auto type = boxes_R4.scalar_type();
  require(boxes_R4.dim() == 2 && boxes_R4.size(1) == 4 &&
              (type == at::kFloat || (wide && type == at::kDouble)),
          "roi_align: expected boxes [R, 4] of float32 (or float64 with float64 maps), got {} "
          "dimensions of {}",
          boxes_R4.dim(), at::toString(type));
  require(bins >= 1, "roi_align: expected at least 1 bin, got {}", bins);
  for (const auto& [name, numbers_R, end] :
       {std::tuple{"image", image_R, images}, {"level", level_R, levels}}) {
    require(numbers_R.dim() == 1 && numbers_R.size(0) == boxes_R4.size(0) &&
                numbers_R.scalar_type() == at::kLong,
            "roi_align: expected an int64 {} for each of {} boxes", name, boxes_R4.size(0));
    if (numbers_R.numel() == 0 || !numbers_R.is_cpu()) continue;  // on a GPU it would sync
    const auto least = numbers_R.min().item<int64_t>(), most = numbers_R.max().item<int64_t>();
    require(least >= 0 && most < end, "roi_align: the {} of a box is {}, expected 0 to {}", name,
            least < 0 ? least : most, end - 1);
  }
}

void check_roi_align(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, const at::Tensor& level_R,
                     const std::vector<double>& scales, int64_t bins) {
  check_maps(maps_BHWC, scales);
  check_rois(boxes_R4, image_R, level_R, maps_BHWC[0].scalar_type() == at::kDouble,
             maps_BHWC[0].size(0), static_cast<int64_t>(maps_BHWC.size()), bins);
}

}  // namespace

at::Tensor roi_align_with(Isa isa, const std::vector<at::Tensor>& maps_BHWC,
                          const at::Tensor& boxes_R4, const at::Tensor& image_R,
                          const at::Tensor& level_R, const std::vector<double>& scales,
                          int64_t bins) {
  check_roi_align(maps_BHWC, boxes_R4, image_R, level_R, scales, bins);
  const auto type = maps_BHWC[0].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Rois rois{boxes_R4.detach().to(type).contiguous(), image_R.contiguous(),
                  level_R.contiguous(), scales, bins};
  return RoiAlignFunction::apply(at::TensorList(maps_BHWC), rois, static_cast<int64_t>(isa));
}

at::Tensor roi_align(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, const at::Tensor& level_R,
                     const std::vector<double>& scales, int64_t bins) {
  if (reference_ops()) {
    check_roi_align(maps_BHWC, boxes_R4, image_R, level_R, scales, bins);
    return roi_align_reference(maps_BHWC, boxes_R4, image_R, level_R, scales, bins);
  }
  return roi_align_with(isa(), maps_BHWC, boxes_R4, image_R, level_R, scales, bins);
}

}  // namespace fcm::ops
