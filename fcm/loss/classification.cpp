#include "fcm/loss/classification.h"

#include <ATen/ATen.h>

namespace fcm::loss {
namespace {

at::Tensor log_probabilities(const at::Tensor& logits_BC) {
  return logits_BC.log_softmax(-1, at::promote_types(logits_BC.scalar_type(), at::kFloat));
}

}  // namespace

at::Tensor cross_entropy(const at::Tensor& logits_BC, const at::Tensor& labels_B) {
  return -log_probabilities(logits_BC).gather(1, labels_B.unsqueeze(1)).mean();
}

at::Tensor label_smoothing_cross_entropy(const at::Tensor& logits_BC, const at::Tensor& labels_B,
                                         double smoothing) {
  const at::Tensor log_BC = log_probabilities(logits_BC);
  const at::Tensor right = log_BC.gather(1, labels_B.unsqueeze(1)).mean();
  return right * (smoothing - 1) - log_BC.mean() * smoothing;
}

at::Tensor soft_target_cross_entropy(const at::Tensor& logits_BC, const at::Tensor& targets_BC) {
  return -(log_probabilities(logits_BC) * targets_BC).sum(-1).mean();
}

}  // namespace fcm::loss
