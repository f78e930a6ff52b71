#include "fcm/dist/reducer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::dist {

// Called after autograd has accumulated a leaf's gradient into the buffer.
class Reducer::Hook final : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(Reducer& reducer, size_t parameter) : reducer_(reducer), parameter_(parameter) {}
  void operator()(const at::Tensor&) override { reducer_.note_filled(parameter_); }

 private:
  Reducer& reducer_;
  size_t parameter_;
};

Reducer::Reducer(std::shared_ptr<Group> group, const at::Tensor& gradients,
                 std::vector<GradientSlice> parameters, int64_t bucket_bytes,
                 std::optional<Part> share)
    : group_(std::move(group)),
      parameters_(std::move(parameters)),
      share_(share),
      filled_(parameters_.size()),
      filled_at_(parameters_.size(), std::numeric_limits<int64_t>::max()) {
  int64_t begin = 0, end = 0;
  size_t first = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& leaf = parameters_[i].leaf;
    end += leaf.numel();
    torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<Hook>(*this, i));
    bucket_of_.push_back(buckets_.size());
    const int64_t bytes = (end - begin) * gradients.element_size();
    if (bytes < bucket_bytes && i + 1 < parameters_.size()) continue;
    const Part mine = share_.value_or(Part{begin, end});
    buckets_.push_back({gradients.narrow(0, begin, end - begin), part_within(mine, begin, end),
                        first, i + 1, 0, nullptr});
    begin = end;
    first = i + 1;
  }
  require(end == gradients.numel(), "Reducer: expected a gradient buffer of {} elements, got {}",
          end, gradients.numel());
}

Reducer::~Reducer() {
  for (const GradientSlice& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.leaf, nullptr);
  }
}

void Reducer::begin_last_pass() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.end - bucket.first;
  sent_ = 0;
  in_last_pass_ = true;
}

void Reducer::note_filled(size_t parameter) {
  filled_[parameter] = true;
  if (!in_last_pass_) return;
  if (order_.empty()) {
    const auto known = std::count_if(filled_at_.begin(), filled_at_.end(), [](int64_t place) {
      return place != std::numeric_limits<int64_t>::max();
    });
    filled_at_[parameter] = known;
    return;
  }
  --buckets_[bucket_of_[parameter]].missing;
  send_ready();
}

void Reducer::send_ready() {
  for (; sent_ < order_.size(); ++sent_) {
    Bucket& bucket = buckets_[order_[sent_]];
    if (bucket.missing > 0) return;
    bucket.sum = share_ ? group_->start_sum_of_part(bucket.values, bucket.mine)
                        : group_->start_sum(bucket.values);
  }
}

void Reducer::finish(std::vector<double>& scalars) {
  in_last_pass_ = false;
  if (order_.empty()) agree_on_order();
  // Buckets that this rank's last pass did not fill entirely are complete as well: earlier passes
  // filled them, or they remain zero.
  for (Bucket& bucket : buckets_) bucket.missing = 0;
  send_ready();
  const auto unfilled = std::count(filled_.begin(), filled_.end(), false);
  scalars.push_back(static_cast<double>(unfilled));
  const at::Tensor sums = at::tensor(scalars, at::kDouble);
  group_->sum(sums);
  std::copy_n(sums.const_data_ptr<double>(), scalars.size(), scalars.begin());
  for (Bucket& bucket : buckets_) std::exchange(bucket.sum, nullptr)->wait();
  if (scalars.back() > 0) refuse_unfilled();
  scalars.pop_back();
  std::fill(filled_.begin(), filled_.end(), false);
}

void Reducer::agree_on_order() {
  const auto filled_last = [&](size_t bucket) {
    return *std::max_element(filled_at_.begin() + static_cast<ptrdiff_t>(buckets_[bucket].first),
                             filled_at_.begin() + static_cast<ptrdiff_t>(buckets_[bucket].end));
  };
  order_.resize(buckets_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return filled_last(a) < filled_last(b); });
  std::vector<int64_t> places(order_.begin(), order_.end());
  const at::Tensor agreed = at::tensor(places, at::kLong);
  group_->broadcast(agreed);
  for (size_t i = 0; i < order_.size(); ++i) {
    order_[i] = static_cast<size_t>(agreed.const_data_ptr<int64_t>()[i]);
  }
}

void Reducer::refuse_unfilled() {
  const std::vector<int64_t> mine(filled_.begin(), filled_.end());
  const at::Tensor ranks = at::tensor(mine, at::kLong);
  group_->sum(ranks);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    require(ranks.const_data_ptr<int64_t>()[i] > 0, "Reducer: no rank filled the gradient of {}",
            parameters_[i].name);
  }
}

}  // namespace fcm::dist
