#include "fcm/optim/queued_step.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"

namespace fcm::optim {
namespace {

at::Tensor bytes_for(const at::Tensor& beside, size_t count) {
  return at::zeros({static_cast<int64_t>(count)}, beside.options().dtype(at::kByte));
}

template <class V>
V* at_bytes(const at::Tensor& bytes) {
  return static_cast<V*>(bytes.mutable_data_ptr());
}

}  // namespace

QueuedStep::QueuedStep(const ops::AdamWBuffers& buffers,
                       const std::vector<ops::AdamWGroupRange>& scheduled,
                       const OptimOptions& options, at::Tensor state)
    : buffers_(buffers),
      options_(options),
      segment_count_(static_cast<int64_t>(scheduled.size())),
      state_(std::move(state)),
      segments_(bytes_for(buffers.value_E, scheduled.size() * sizeof(ops::AdamWSegment))),
      factors_(bytes_for(buffers.value_E, sizeof(ops::AdamWFactors))),
      parts_(at::empty({ops::gradient_norm_parts_cuda(buffers.value_E.numel())},
                       buffers.value_E.options().dtype(at::kDouble))) {
  const size_t bytes = scheduled.size() * sizeof(ops::AdamWGroupRange);
  const at::Tensor here = at::empty({static_cast<int64_t>(bytes)}, at::kByte);
  std::copy(scheduled.begin(), scheduled.end(), at_bytes<ops::AdamWGroupRange>(here));
  scheduled_ = here.to(state_.device());
}

void QueuedStep::operator()(const at::Tensor& loss) const {
  require(state_.nbytes() == sizeof(ops::AdamWState) && loss.scalar_type() == at::kDouble &&
              loss.numel() == 1 && loss.device() == state_.device(),
          "QueuedStep: expected one float64 loss on the device of the state, got {} "
          "values, {}, on that device: {}",
          loss.numel(), at::toString(loss.scalar_type()), loss.device() == state_.device());
  return buffers_.value_E.scalar_type() == at::kFloat ? enqueue<float>(loss)
                                                      : enqueue<double>(loss);
}

template <class T>
void QueuedStep::enqueue(const at::Tensor& loss) const {
  const int64_t count = buffers_.value_E.numel();
  const T* gradient = buffers_.gradient_E.const_data_ptr<T>();
  const ops::CudaStream stream = ops::cuda_stream_for(buffers_.value_E);
  auto* state = at_bytes<ops::AdamWState>(state_);
  auto* segments = at_bytes<ops::AdamWSegment>(segments_);
  auto* factors = at_bytes<ops::AdamWFactors>(factors_);
  ops::gradient_norm_cuda(gradient, count, parts_.data_ptr<double>(), stream);
  ops::adamw_begin_cuda(
      {parts_.const_data_ptr<double>(), parts_.numel(), loss.const_data_ptr<double>(),
       options_.beta1, options_.beta2, options_.epsilon, options_.clip_norm,
       at_bytes<ops::AdamWGroupRange>(scheduled_), segment_count_, state, segments, factors},
      stream);
  ops::AdamWUpdate<T> update{};
  update.count = count;
  update.value = buffers_.value_E.data_ptr<T>();
  update.first = buffers_.first_E.data_ptr<T>();
  update.second = buffers_.second_E.data_ptr<T>();
  update.gradient = gradient;
  update.segments = segments;
  update.segment_count = segment_count_;
  update.factors = factors;
  update.applied = &state->applied;
  ops::adamw_update_cuda(update, stream);
}

}  // namespace fcm::optim
