// AdamW over one flat buffer, with a learning rate and a weight decay per parameter group.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "fcm/nn/parameters.h"
#include "fcm/optim/options.h"
#include "fcm/optim/parameter_groups.h"
#include "fcm/optim/queued_step.h"
#include "fcm/optim/schedule.h"

namespace fcm::optim {

// Elements [begin, end) of the flat buffers.
struct ElementRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

// PyTorch's AdamW: decoupled weight decay, bias-corrected moments.
class AdamW {
 public:
  // Every trainable parameter must be in exactly one group. Uses the betas, epsilon and clip_norm
  // of the options, and the weight decay of the groups. `share`: the elements that this optimizer
  // updates and whose moments it stores; nullopt: all.
  AdamW(nn::Parameters& parameters, std::vector<ParameterGroup> groups, const OptimOptions& options,
        std::optional<ElementRange> share = std::nullopt);
  // With the groups of pretraining and the weight decay of the options.
  AdamW(nn::Parameters& parameters, const OptimOptions& options,
        std::optional<ElementRange> share = std::nullopt);

  // L2 norm of all gradients, in float64; non-finite if any of them is.
  double gradient_norm() const;

  // The factor that clips gradients of this norm. It is below 1 if a clip_norm is set and `norm`
  // exceeds it.
  double clip_scale(double norm) const;

  // One step at the scheduled rate, which each group scales. Gradients are first multiplied by
  // `gradient_scale` (clipping). Increments the step count.
  void step(const Rate& rate, double gradient_scale = 1.0);
  void step(double lr, double gradient_scale = 1.0) { step(Rate{lr, 0}, gradient_scale); }
  void zero_gradients();

  // Device-side steps: the GPU decides whether to skip a step. Do not mix with step().
  //
  // The state of these steps: the bytes of an ops::AdamWState on the device of the parameters, at a
  // fixed address. Write lr into it before each step.
  at::Tensor queued_state();
  at::Tensor queued_lr();  // [], float64: the learning rate in the state
  // One step, clipped by clip_norm, if the norm of the gradients and `loss` (one float64 on the
  // device of the parameters) are finite; otherwise the step is skipped. Never syncs with a GPU, so
  // it can be captured in a CUDA graph. On the CPU it has finished on return.
  void queue_step(const at::Tensor& loss);
  // Sets the step count from `state`, a copy of the state after the last finished queued step.
  void count_queued(const ops::AdamWState& state) { steps_ = state.steps; }

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);
  // [E] for all elements, or those of the share.
  at::Tensor first_moments() const { return first_; }
  at::Tensor second_moments() const { return second_; }

  // Checkpoints hold the moments of all elements. widen() allocates moments for all of them, zero
  // outside the share; keep_share() drops all but the share's. No step may run in between.
  void widen();
  void keep_share();

 private:
  std::vector<size_t> groups_by_parameter() const;
  ops::AdamWBuffers buffers() const;
  void apply(const Rate& scheduled, double gradient_scale);
  void queue_on_cpu(double loss);

  nn::Parameters& parameters_;
  std::vector<ParameterGroup> groups_;
  OptimOptions options_;
  std::vector<ops::AdamWGroupRange> segments_;
  ElementRange share_;
  at::Tensor first_, second_;
  int64_t steps_ = 0;
  at::Tensor queued_state_;  // undefined until requested
  std::unique_ptr<QueuedStep> queued_step_;
};

}  // namespace fcm::optim
