// The processes that train or measure together. One process is a group of one, so a program for one
// process and for many is the same program.
//
// Whatever changes control flow must be the same in every process, or some of them wait for ever:
// each such decision (skip an update, roll back, stop, size of a micro-batch, too many bad
// pictures, which checkpoint to resume) goes through agree(), and nothing else may branch
// differently by rank.
#pragma once

#include <cstdint>
#include <memory>

namespace fcm::dist {

// How processes that see different values settle on one.
enum class Agree { kAny, kAll, kMin, kMax, kSum };

class Group {
 public:
  virtual ~Group() = default;

  virtual int64_t rank() const = 0;  // 0 <= rank < size
  virtual int64_t size() const = 0;

  // The same value in every process. Every process has to call it, in the same order. Integers are
  // exact. kAny and kAll take 0 for false and give 0 or 1. Throws Error(kPeerLost).
  virtual int64_t agree(int64_t mine, Agree how) = 0;

  // Rank 0 alone writes files and prints.
  bool writes() const { return rank() == 0; }
  bool any(bool mine) { return agree(mine ? 1 : 0, Agree::kAny) != 0; }
  bool all(bool mine) { return agree(mine ? 1 : 0, Agree::kAll) != 0; }
};

// One process.
std::shared_ptr<Group> group_of_one();

}  // namespace fcm::dist
