// Forward and backward of a micro-batch as one piece of recorded work.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/cuda/graph.h"

namespace fcm::train {

// From pixels and plan to the loss whose gradients are wanted, a scalar.
using LossOf = std::function<at::Tensor(const at::Tensor& pixels_BLPD, const masks::ViewPlan&)>;

class GraphedPass {
 public:
  // flat_gradients: where the backward pass adds gradients.
  GraphedPass(std::unique_ptr<ops::RecordedWork> recorded, at::Tensor flat_gradients_E,
              LossOf loss_of);

  // Adds the gradients of loss_of(pixels, plan) and returns the loss. The first call records;
  // others replay, and must bring pixels and plans of the same shapes and sizes. Nothing waits for
  // the GPU once recorded; the loss is a copy.
  at::Tensor operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan);
  // Whether pixels are of the recorded shape; true before the first call.
  bool fits(const at::Tensor& pixels_BLPD) const;

 private:
  void record(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan);

  std::unique_ptr<ops::RecordedWork> recorded_;
  at::Tensor flat_gradients_E_;
  LossOf loss_of_;
  // What the recorded work reads and writes.
  at::Tensor pixels_BLPD_, loss_;
  masks::ViewPlan plan_;
};

}  // namespace fcm::train
