// Sums and broadcasts between ranks on one machine, through memory that they share; and that memory.
//
// c10d has nothing of the kind for the processor: Gloo sends through sockets also where both ends
// are on one machine, which takes three times as long, from the cores that compute.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fcm/dist/group.h"

namespace fcm::dist {

// Memory that processes have in common. It has no name and is gone with the last of them.
class Mapping {
 public:
  // Made by rank 0 of `by` and found by the others; zero at first. nullptr, in every rank: the
  // system does not let them share it.
  static std::shared_ptr<Mapping> open(Group& by, int64_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* begin() const { return begin_; }

 private:
  Mapping(std::byte* begin, int64_t bytes) : begin_(begin), bytes_(bytes) {}

  std::byte* begin_;
  int64_t bytes_;
};

// Values go in pieces. Each rank copies its piece to a slot of its own; when all have, each adds up
// its part of the piece, in the order of ranks; when all have done that, each copies the sum back.
// Values in a buffer that all ranks see (make_buffer) are added up where they lie, and only parts
// of others are copied. A rank does its share of this whenever it starts an operation or waits for
// one, so it needs no thread. Not for several threads at a time.
class SharedMemory {
 public:
  // `lost`: why a rank is lost, as far as it is known; empty: none is. Asked while one waits, which
  // then throws SharedError(kPeerLost).
  using Lost = std::function<std::string()>;

  // For the ranks of `by`, which are all on this machine; nullptr as above.
  static std::unique_ptr<SharedMemory> open(Group& by, Lost lost);

  // As Group's. values: contiguous, in the processor's memory.
  std::unique_ptr<Pending> start_sum(const at::Tensor& values) { return start(values, kSum); }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) {
    return start(values, from);
  }
  // This rank's part of memory that all ranks see: [elements], zero. Undefined: there is none.
  at::Tensor make_buffer(Group& by, int64_t elements, const at::TensorOptions& options);
  // The same memory in all ranks: [elements], zero. Undefined: there is none.
  static at::Tensor make_common(Group& by, int64_t elements, const at::TensorOptions& options);

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
  struct Buffer {
    std::shared_ptr<Mapping> memory;
    int64_t bytes;  // of each rank
  };
  struct Piece {
    at::Tensor values;     // [n]
    int64_t from;          // the rank whose values all get; kSum
    const Buffer* buffer;  // where the values lie; nullptr: in memory of this rank alone
    int64_t place;         // in the buffer, in bytes
  };
  class Waiting;

  SharedMemory(int64_t rank, int64_t ranks, std::shared_ptr<Mapping> memory, Lost lost)
      : rank_(rank),
        ranks_(ranks),
        slots_(slots_of(ranks)),
        memory_(std::move(memory)),
        lost_(std::move(lost)) {}

  static int64_t slots_of(int64_t ranks);
  static int64_t slots_begin(int64_t ranks);

  std::unique_ptr<Pending> start(const at::Tensor& values, int64_t from);
  const Buffer* buffer_of(const at::Tensor& values, int64_t& place) const;
  Done& done(int64_t rank) const;
  at::Tensor of_rank(int64_t rank, int64_t index, const Piece& piece) const;
  bool all(std::atomic<int64_t> Done::*what, int64_t beyond) const;
  void bring(Piece piece);
  void add_up(const Piece& piece);
  void take(const Piece& piece);
  bool progress();
  void wait_for(const std::function<bool()>& condition);

  const int64_t rank_, ranks_, slots_;
  const std::shared_ptr<Mapping> memory_;  // what is done, then the slots
  const Lost lost_;
  std::deque<Buffer> buffers_;
  std::deque<Piece> pieces_;  // that were brought and not taken
  // Of the piece that is the next to be brought, added up, taken.
  int64_t brought_ = 0, added_ = 0, taken_ = 0;
  double waited_seconds_ = 0;
};

}  // namespace fcm::dist
