#include "fcm/decoder/head.h"

#include "fcm/ops/norm_linear/op.h"

namespace fcm::decoder {

std::string prefix_of(const Output& output, bool alone) {
  return alone ? "decoder_" : "reconstructors." + output.name + ".";
}

Head::Head(const nn::Scope& scope, const std::string& prefix, int64_t dim, const Output& output)
    : norm_name_(prefix + "norm"),
      pred_name_(prefix + "pred"),
      norm_(scope / norm_name_, dim, nn::kNormEpsilon),
      pred_(nn::Linear::reordered(scope / pred_name_, dim, output.dim, output.layout)) {}

at::Tensor Head::operator()(const at::Tensor& x_NHD, const nn::Observer& observer) const {
  if (observer) observer(norm_name_, norm_(x_NHD));
  const at::Tensor predictions_NHD = ops::norm_linear(x_NHD, norm_.weights(), pred_.weights());
  nn::observe(observer, pred_name_, predictions_NHD);
  return predictions_NHD;
}

}  // namespace fcm::decoder
