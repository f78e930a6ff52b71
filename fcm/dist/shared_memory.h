// Sums and broadcasts between ranks on one machine, through memory that they share.
//
// c10d has nothing of the kind for the processor: Gloo sends through sockets also where both ends
// are on one machine, which takes three times as long, from the cores that compute.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::dist {

// Values go in pieces. Each rank copies its piece to a slot of its own; when all have, each adds up
// its part of the piece, in the order of ranks; when all have done that, each copies the sum back.
// A rank does its share of this whenever it starts an operation or waits for one, so it needs no
// thread. Not for several threads at a time.
class SharedMemory {
 public:
  // `lost`: why a rank is lost, as far as it is known; empty: none is. Asked while one waits, which
  // then throws SharedError(kPeerLost).
  using Lost = std::function<std::string()>;

  // For the ranks of `by`, which are all on this machine. nullptr, in every rank: the system does
  // not let them share memory.
  static std::unique_ptr<SharedMemory> open(Group& by, Lost lost);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // As Group's. values: contiguous, in the processor's memory.
  std::unique_ptr<Pending> start_sum(const at::Tensor& values) { return start(values, kSum); }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) {
    return start(values, from);
  }

  // How long this rank had nothing to do but wait for others.
  double waited_seconds() const { return waited_seconds_; }

  static constexpr int64_t kPieceBytes = 1 << 20;

 private:
  static constexpr int64_t kSum = -1;

  // How many pieces a rank is done with. Each rank writes its own.
  struct alignas(64) Done {
    std::atomic<int64_t> brought, added, taken;
    static_assert(std::atomic<int64_t>::is_always_lock_free);  // so processes may share it
  };
  struct Layout {
    int64_t ranks, slots;

    int64_t slots_begin() const { return (ranks * int64_t{sizeof(Done)} + 4095) / 4096 * 4096; }
    int64_t bytes() const { return kToken + slots_begin() + ranks * slots * kPieceBytes; }
  };
  struct Piece {
    at::Tensor values;  // [n]
    int64_t from;       // the rank whose values all get; kSum
  };
  class Waiting;

  // At the end of the memory: tells it from other memory.
  static constexpr int64_t kToken = 16;

  SharedMemory(int64_t rank, const Layout& layout, std::byte* memory, Lost lost)
      : rank_(rank), layout_(layout), memory_(memory), lost_(std::move(lost)) {}

  static Layout layout_of(int64_t ranks);

  std::unique_ptr<Pending> start(const at::Tensor& values, int64_t from);
  Done& done(int64_t rank) const;
  at::Tensor slot(int64_t rank, int64_t piece, const at::Tensor& like) const;
  bool all(std::atomic<int64_t> Done::*what, int64_t beyond) const;
  void bring(Piece piece);
  void add_up(const Piece& piece);
  bool progress();
  void wait_for(const std::function<bool()>& condition);

  const int64_t rank_;
  const Layout layout_;
  std::byte* const memory_;
  const Lost lost_;
  std::deque<Piece> pieces_;  // that were brought and not taken
  // Of the piece that is the next to be brought, added up, taken.
  int64_t brought_ = 0, added_ = 0, taken_ = 0;
  double waited_seconds_ = 0;
};

}  // namespace fcm::dist
