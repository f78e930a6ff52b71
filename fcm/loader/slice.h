// The part of a shared range that belongs to one of several processes (ranks).
#pragma once

#include <cstdint>

#include "fcm/base/error.h"

namespace fcm::loader {

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

struct Slice {
  int64_t rank = 0, ranks = 1;

  // This rank's part of `count` items. The parts of all ranks are contiguous and cover everything;
  // their sizes differ by at most one.
  Range of(int64_t count) const {
    require(rank >= 0 && rank < ranks && count >= 0, "Slice: invalid rank {} of {}, or {} items",
            rank, ranks, count);
    return {count * rank / ranks, count * (rank + 1) / ranks};
  }
};

}  // namespace fcm::loader
