#include "fcm/loader/oriented_order.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

// Three kinds of permutations: of the images of either group (0, 1), one for each pass over the
// group; and of the batches of both groups (2), one for each round.
constexpr uint64_t kOrders = 3, kOfBatches = 2;

KeyedPermutation order_of(int64_t size, uint64_t seed, int64_t round, uint64_t which) {
  return {static_cast<uint64_t>(size), seed, Purpose::kOrder,
          kOrders * static_cast<uint64_t>(round) + which};
}

}  // namespace

OrientedOrder::OrientedOrder(const Dataset& dataset, int64_t batch_size, uint64_t seed)
    : group_of_(static_cast<size_t>(dataset.size())), batch_size_(batch_size), seed_(seed) {
  require(batch_size > 0, "OrientedOrder: expected batches of 1 or more, got {}", batch_size);
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const ImageRecord record = dataset.image_record(i);
    if (record.objects == 0) continue;
    const size_t group = record.is_wide() ? 0 : 1;
    group_of_[static_cast<size_t>(i)] = static_cast<uint8_t>(group);
    groups_[group].samples.push_back(i);
  }
  if (images() == 0) {
    fail(ExitCode::kData, "none of {} images has an object to learn from (crowds do not count)",
         dataset.size());
  }
}

int64_t OrientedOrder::images() const {
  return std::ssize(groups_[0].samples) + std::ssize(groups_[1].samples);
}

int64_t OrientedOrder::batches_of(const Group& group, int64_t round) const {
  return round * std::ssize(group.samples) / batch_size_;
}

int64_t OrientedOrder::batches_before(int64_t round) const {
  return batches_of(groups_[0], round) + batches_of(groups_[1], round);
}

std::vector<OrientedOrder::Chosen> OrientedOrder::of_step(int64_t step, const Slice& slice) const {
  require(step >= 0, "OrientedOrder: expected a step of 0 or more, got {}", step);
  // A lower bound of the round, because batches_before(round) is at most round * images /
  // batch_size. batches_before(round) is less than two below that value, so the loop is short.
  int64_t round = step * batch_size_ / images();
  while (batches_before(round + 1) <= step) ++round;
  const int64_t wide = batches_of(groups_[0], round + 1) - batches_of(groups_[0], round);
  const int64_t all = batches_before(round + 1) - batches_before(round);
  const auto place = static_cast<int64_t>(
      order_of(all, seed_, round, kOfBatches)(static_cast<uint64_t>(step - batches_before(round))));
  const size_t which = place < wide ? 0 : 1;
  const Group& group = groups_[which];
  const int64_t size = std::ssize(group.samples);
  const int64_t batch = batches_of(group, round) + (which == 0 ? place : place - wide);

  const Range part = slice.of(batch_size_);
  const int64_t first = batch * batch_size_ + part.begin;
  std::vector<Chosen> chosen;
  chosen.reserve(static_cast<size_t>(part.size()));
  int64_t earlier_uses = first / size;
  KeyedPermutation order = order_of(size, seed_, earlier_uses, which);
  for (int64_t i = first; i < first + part.size(); ++i) {
    if (i / size != earlier_uses) order = order_of(size, seed_, earlier_uses = i / size, which);
    const uint64_t at = order(static_cast<uint64_t>(i % size));
    chosen.push_back({group.samples[at], earlier_uses});
  }
  return chosen;
}

int64_t OrientedOrder::random_of_same_group(int64_t sample, KeyedRandom& random) const {
  const auto& samples = groups_[group_of_[static_cast<size_t>(sample)]].samples;
  return samples[random.below(samples.size())];
}

}  // namespace fcm::loader
