// The part that one of several processes (ranks) takes of what they share.
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

  // Its part of `count` things. Those of all ranks follow each other and are everything; their
  // sizes differ by one at most.
  Range of(int64_t count) const {
    require(rank >= 0 && rank < ranks && count >= 0, "Slice: rank {} of {}, {} things", rank, ranks,
            count);
    return {count * rank / ranks, count * (rank + 1) / ranks};
  }
};

}  // namespace fcm::loader
