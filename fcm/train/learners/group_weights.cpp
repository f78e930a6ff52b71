#include "fcm/train/learners/group_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "fcm/dist/part.h"
#include "fcm/optim/norm.h"

namespace fcm::train {
namespace {

// Returns false if the ranks cannot share memory.
bool move_to_shared_memory(dist::Group& group, nn::Parameters& parameters) {
  if (group.size() == 1) return false;
  const at::Tensor values_E =
      group.make_shared_memory(parameters.trainable_elements(), parameters.flat_values().options());
  if (!values_E.defined()) return false;
  if (group.rank() == 0) values_E.copy_(parameters.flat_values());
  group.barrier();
  parameters.hold_values_in(values_E);
  return true;
}

}  // namespace

GroupWeights::GroupWeights(std::shared_ptr<dist::Group> group, nn::Parameters& parameters,
                           bool shard)
    : group_(std::move(group)),
      parameters_(parameters),
      in_shared_memory_(move_to_shared_memory(*group_, parameters)),
      divided_(in_shared_memory_ || (shard && group_->size() > 1)) {}

optim::ElementRange GroupWeights::share_of(int64_t rank) const {
  const dist::Part part =
      dist::part_of_rank(rank, group_->size(), parameters_.trainable_elements());
  return {part.begin, part.end};
}

optim::ElementRange GroupWeights::share() const {
  return divided_ ? share_of(group_->rank())
                  : optim::ElementRange{0, parameters_.trainable_elements()};
}

double GroupWeights::gradient_norm() const {
  const at::Tensor gradients_E = parameters_.flat_gradients();
  if (group_->size() == 1 || gradients_E.is_cuda()) return optim::euclidean_norm(gradients_E);
  const at::Tensor squares_W = at::zeros({group_->size()}, at::kDouble);
  for (int64_t rank = 0; rank < group_->size(); ++rank) {
    if (in_shared_memory_ && rank != group_->rank()) continue;
    const optim::ElementRange part = share_of(rank);
    squares_W[rank] = optim::sum_of_squares(gradients_E.slice(0, part.begin, part.end));
  }
  if (in_shared_memory_) group_->sum(squares_W);  // exact: only one rank has a non-zero element
  double sum = 0;
  for (int64_t rank = 0; rank < group_->size(); ++rank) {
    sum += squares_W.const_data_ptr<double>()[rank];
  }
  return std::sqrt(sum);
}

void GroupWeights::complete() {
  if (in_shared_memory_) return group_->barrier();
  if (!divided_) return;
  std::vector<std::unique_ptr<dist::Pending>> pending;
  for (int64_t rank = 0; rank < group_->size(); ++rank) {
    const optim::ElementRange share = share_of(rank);
    pending.push_back(group_->start_broadcast(
        parameters_.flat_values().narrow(0, share.begin, share.size()), rank));
  }
  for (const auto& one : pending) one->wait();
}

void GroupWeights::collect_moments(optim::AdamW& optimizer) {
  if (!divided_) return;
  if (group_->rank() == 0) optimizer.widen();
  // One share at a time, so that ranks other than 0 hold at most two shares.
  for (int64_t rank = 1; rank < group_->size(); ++rank) {
    const optim::ElementRange share = share_of(rank);
    for (const at::Tensor& moments : {optimizer.first_moments(), optimizer.second_moments()}) {
      at::Tensor of_share;
      if (group_->rank() == 0) {
        of_share = moments.narrow(0, share.begin, share.size());
      } else {
        of_share = group_->rank() == rank ? moments : at::empty({share.size()}, moments.options());
      }
      group_->broadcast(of_share, rank);
    }
  }
}

}  // namespace fcm::train
