#include "fcm/ops/cases.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace fcm::ops {

OpCase timed(OpCase op_case) {
  op_case.benchmark = true;
  return op_case;
}

OpCase by_differences(OpCase op_case) {
  op_case.check_by_differences = true;
  return op_case;
}

OpCase with_score_rounding(OpCase op_case, double scale, int64_t head_dim) {
  const double sum = 2 * std::sqrt(static_cast<double>(head_dim)) * scale * scale;
  op_case.float32_of_scores = std::ldexp(sum, -25);
  return op_case;
}

at::Tensor case_values(at::IntArrayRef sizes, at::ScalarType dtype, uint64_t seed, double scale) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return (at::randn(sizes, generator, at::TensorOptions().dtype(at::kDouble)) * scale).to(dtype);
}

std::vector<OpCases> all_op_cases() {
  return {patchify_cases(),
          patch_depthwise_conv_cases(),
          layer_norm_cases(),
          gelu_cases(),
          attention_cases(),
          linear_cases(),
          adamw_cases(),
          patch_embed_cases(),
          norm_linear_cases(),
          branches_cases(),
          patch_loss_cases(),
          gather_rows_cases(),
          cross_attention_cases(),
          mix_cases(),
          window_attention_cases(),
          decomposed_attention_cases(),
          conv3x3_cases(),
          nms_cases(),
          roi_align_cases()};
}

}  // namespace fcm::ops
