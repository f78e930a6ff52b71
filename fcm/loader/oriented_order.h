// Training order of images with instances: endless, each batch either of wide images or of others.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/base/random.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/slice.h"

namespace fcm::loader {

// Contains the images with an object that is not a crowd; wide ones (more columns than rows) form
// one group, the others another. Each group has an endless stream, a sequence of keyed permutations
// of its images. A batch is the next batch_size images of one stream and may span two permutations.
// The steps are divided into rounds of about one pass over the images: by the end of round e (from
// 1), floor(e * n / batch_size) batches have come from each group, where n is its number of images.
// Within a round, a keyed shuffle decides which stream a step takes. So any step is computed
// without the earlier ones.
class OrientedOrder {
 public:
  struct Chosen {
    int64_t sample = 0;        // index in the data set
    int64_t earlier_uses = 0;  // keys its draws, together with `sample`
    bool operator==(const Chosen&) const = default;
  };

  // Throws Error(kData) if no image has an object.
  OrientedOrder(const Dataset& dataset, int64_t batch_size, uint64_t seed);

  int64_t images() const;  // of both groups
  // The samples of one step, or of a rank's slice of it.
  std::vector<Chosen> of_step(int64_t step, const Slice& slice = {}) const;
  // A random image of the same group as `sample`.
  int64_t random_of_same_group(int64_t sample, KeyedRandom& random) const;

 private:
  struct Group {
    std::vector<int64_t> samples;
  };

  int64_t batches_before(int64_t round) const;  // of both groups
  int64_t batches_of(const Group& group, int64_t round) const;

  std::array<Group, 2> groups_;    // wide, others
  std::vector<uint8_t> group_of_;  // index of each sample's group
  int64_t batch_size_;
  uint64_t seed_;
};

}  // namespace fcm::loader
