#include <ATen/ATen.h>

#include "fcm/ops/adamw/op.h"

namespace fcm::ops {

void adamw_reference(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                     const AdamWFactors& factors) {
  const at::NoGradGuard no_grad;
  for (const AdamWSegment& segment : segments) {
    const auto part = [&](const at::Tensor& all_E) {
      return all_E.narrow(0, segment.begin, segment.end - segment.begin);
    };
    const at::Tensor gradient = part(buffers.gradient_E) * factors.gradient_scale;
    const at::Tensor first =
        part(buffers.first_E).mul_(factors.beta1).add_(gradient * (1 - factors.beta1));
    const at::Tensor second =
        part(buffers.second_E).mul_(factors.beta2).add_(gradient.square() * (1 - factors.beta2));
    const at::Tensor denominator = second.sqrt() * factors.root_correction + factors.epsilon;
    part(buffers.value_E).mul_(segment.decay).sub_(first / denominator * segment.rate);
  }
}

}  // namespace fcm::ops
