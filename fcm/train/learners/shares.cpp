#include "fcm/train/learners/shares.h"

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "fcm/dist/part.h"

namespace fcm::train {
namespace {

optim::Share share_of_rank(int64_t rank, int64_t ranks, int64_t elements) {
  const dist::Part part = dist::part_of_rank(rank, ranks, elements);
  return {part.begin, part.end};
}

// Fills [E] buffers, of which this rank has its own share, with the shares of all ranks.
void broadcast_shares(dist::Group& group, const at::Tensor& values_E) {
  std::vector<std::unique_ptr<dist::Pending>> pending;
  for (int64_t rank = 0; rank < group.size(); ++rank) {
    const optim::Share share = share_of_rank(rank, group.size(), values_E.numel());
    pending.push_back(group.start_broadcast(values_E.narrow(0, share.begin, share.size()), rank));
  }
  for (const auto& one : pending) one->wait();
}

}  // namespace

optim::Share share_of(const dist::Group& group, const nn::Parameters& parameters, bool shard) {
  const int64_t elements = parameters.trainable_elements();
  if (!shard) return {0, elements};
  return share_of_rank(group.rank(), group.size(), elements);
}

void exchange_shares(dist::Group& group, const nn::Parameters& parameters,
                     const optim::AdamW& optimizer) {
  if (!optimizer.has_all()) broadcast_shares(group, parameters.flat_values());
}

void collect_moments(dist::Group& group, const nn::Parameters& parameters,
                     optim::AdamW& optimizer) {
  if (optimizer.has_all()) return;
  if (group.rank() == 0) optimizer.widen();
  // One share at a time: no rank but 0 ever holds more than two shares.
  for (int64_t rank = 1; rank < group.size(); ++rank) {
    const optim::Share share = share_of_rank(rank, group.size(), parameters.trainable_elements());
    for (const at::Tensor& moments : {optimizer.first_moments(), optimizer.second_moments()}) {
      at::Tensor of_share;
      if (group.rank() == 0) {
        of_share = moments.narrow(0, share.begin, share.size());
      } else {
        of_share = group.rank() == rank ? moments : at::empty({share.size()}, moments.options());
      }
      group.broadcast(of_share, rank);
    }
  }
}

}  // namespace fcm::train
