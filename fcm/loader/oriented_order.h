// The order in which pictures with instances are learnt: without end, each batch of wide pictures
// alone or of others.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/base/random.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/slice.h"

namespace fcm::loader {

// Pictures with an object that is no crowd are in it, the wide ones (more columns than rows) in one
// group and the others in another. Each group has a stream without end: all of its pictures in one
// keyed order, then all of them in another, and so on; batches are cut from a stream one after the
// other, across the seams. Which stream a step's batch comes from is keyed too: by the end of round
// e, floor(e * pictures / batch_size) batches have come from each, and within a round they are
// shuffled. So any step is found without those before it.
class OrientedOrder {
 public:
  struct Chosen {
    int64_t sample = 0;  // index in the data set
    int64_t time = 0;    // how often it was chosen before: with `sample`, the key of its draws
    bool operator==(const Chosen&) const = default;
  };

  // Throws Error(kData) where no picture has an object.
  OrientedOrder(const Dataset& dataset, int64_t batch_size, uint64_t seed);

  int64_t pictures() const;  // of both groups
  // Those of one step, or of a rank's slice of it.
  std::vector<Chosen> of_step(int64_t step, const Slice& slice = {}) const;
  // Any picture of the group of `sample`.
  int64_t another(int64_t sample, KeyedRandom& random) const;

 private:
  struct Group {
    std::vector<int64_t> samples;
  };

  int64_t batches_before(int64_t round) const;  // of both groups
  int64_t batches_of(const Group& group, int64_t round) const;

  std::array<Group, 2> groups_;    // wide, others
  std::vector<uint8_t> group_of_;  // by sample
  int64_t batch_size_;
  uint64_t seed_;
};

}  // namespace fcm::loader
