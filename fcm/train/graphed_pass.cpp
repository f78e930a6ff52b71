#include "fcm/train/graphed_pass.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "fcm/base/error.h"

namespace fcm::train {

GraphedPass::GraphedPass(std::unique_ptr<ops::RecordedWork> recorded, at::Tensor flat_gradients_E,
                         LossOf loss_of)
    : recorded_(std::move(recorded)),
      flat_gradients_E_(std::move(flat_gradients_E)),
      loss_of_(std::move(loss_of)) {}

bool GraphedPass::fits(const at::Tensor& pixels_BLPD) const {
  return !pixels_BLPD_.defined() || pixels_BLPD.sizes() == pixels_BLPD_.sizes();
}

at::Tensor GraphedPass::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan) {
  require(fits(pixels_BLPD), "recorded for {} pictures, got {}", plan_.batch(), plan.batch());
  if (!pixels_BLPD_.defined()) record(pixels_BLPD, plan);
  require(plan.sizes == plan_.sizes && plan.kept == plan_.kept,
          "recorded for views of other sizes");
  pixels_BLPD_.copy_(pixels_BLPD, /*non_blocking=*/true);
  plan_.order_BL.copy_(plan.order_BL, /*non_blocking=*/true);
  plan_.neighbours_BL9.copy_(plan.neighbours_BL9, /*non_blocking=*/true);
  recorded_->replay();
  return loss_.clone();
}

// Warming up adds gradients as well, which must not stay.
void GraphedPass::record(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan) {
  pixels_BLPD_ = pixels_BLPD.clone();
  plan_ = plan;
  plan_.order_BL = plan.order_BL.clone();
  plan_.neighbours_BL9 = plan.neighbours_BL9.clone();
  const at::Tensor before_E = flat_gradients_E_.clone();
  recorded_->record([this] {
    const at::Tensor loss = loss_of_(pixels_BLPD_, plan_);
    torch::autograd::backward({loss}, {});
    const at::NoGradGuard no_grad;
    if (!loss_.defined()) loss_ = at::empty_like(loss);
    loss_.copy_(loss);
  });
  flat_gradients_E_.copy_(before_E);
}

}  // namespace fcm::train
