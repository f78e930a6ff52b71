// AdamW over one flat buffer, with a learning rate and a decay for every group of parameters.
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
struct Share {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

// PyTorch's AdamW: decoupled decay, bias-corrected moments.
class AdamW {
 public:
  // Every trainable parameter must be in exactly one group. Of the options the betas, epsilon and
  // clip_norm count; decay is the groups'.
  // `share`: whose moments it keeps and which it updates; none: all.
  AdamW(nn::Parameters& parameters, std::vector<ParameterGroup> groups, const OptimOptions& options,
        std::optional<Share> share = std::nullopt);
  // The groups of pretraining, with the decay of the options.
  AdamW(nn::Parameters& parameters, const OptimOptions& options,
        std::optional<Share> share = std::nullopt);

  // Root of the sum of squares of all gradients, in float64; non-finite if any of them is.
  double gradient_norm() const;

  // What gradients of this norm are to be multiplied with: below 1 where clip_norm is set and they
  // exceed it.
  double clip_scale(double norm) const;

  // One update at the scheduled rate, which each group scales. Gradients are multiplied by
  // `gradient_scale` first (clipping). Counts one step.
  void step(const Rate& rate, double gradient_scale = 1.0);
  void step(double lr, double gradient_scale = 1.0) { step(Rate{lr, 0}, gradient_scale); }
  void zero_gradients();

  // For updates that a GPU decides on by itself; an optimizer that does them does no others.
  //
  // What they read and write, an ops::AdamWState as bytes beside the parameters, always at the same
  // place. lr has to be written before each.
  at::Tensor queued_state();
  at::Tensor queued_lr();  // [], float64: the part of it that has to be written
  // One update if the norm of the gradients and `loss` (one float64 beside the parameters) are
  // finite, clipped by clip_norm. Nothing waits for a GPU, and the work may be recorded; on the CPU
  // it is done when this returns, by gradient_norm and step.
  void queue_step(const at::Tensor& loss);
  // Takes over the count from a copy of the state, of the last queued step that has been done.
  void count_queued(const ops::AdamWState& state) { steps_ = state.steps; }

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);
  at::Tensor first_moments() const { return first_; }    // [E], as the flat values; or the share's
  at::Tensor second_moments() const { return second_; }  // likewise

  // Checkpoints hold the moments of everything. Between these two there is room for them, with the
  // share's in their place; after it what lies in the share's place is kept. No step meanwhile.
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
  std::vector<ops::AdamWScheduled> segments_;
  Share share_;
  at::Tensor first_, second_;
  int64_t steps_ = 0;
  at::Tensor queued_state_;  // empty before it is asked for
  std::unique_ptr<QueuedStep> queued_step_;
};

}  // namespace fcm::optim
