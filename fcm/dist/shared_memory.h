// Shared memory between ranks on one machine, and all-reduce and broadcast through it.
//
// c10d has no such backend for the CPU. Gloo sends through sockets even on one machine, which takes
// three times as long and uses time of the cores that compute.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fcm/dist/group.h"
#include "fcm/dist/part.h"

namespace fcm::dist {

// Memory shared by processes. It is anonymous and is freed when no process maps it any more.
class Mapping {
 public:
  // Rank 0 of `by` creates the memory and the others map it; initially zero. nullptr in every rank
  // if the system does not allow it.
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

// An all-reduce processes values in chunks, in three phases. Each rank copies its chunk to its own
// slot of the shared memory. When all ranks have copied, each sums its part of the chunk over the
// ranks, in rank order. When all parts are summed, each rank copies the sum back. Values in a
// buffer that all ranks map (make_buffer) are summed in place, and a rank copies only the parts
// that other ranks summed, or nothing if it needs only its own part. In a broadcast, one rank
// copies its chunk in, nothing is summed, and all other ranks copy the chunk out. A rank makes
// progress whenever it starts an operation or waits for one, so no thread is needed. Not
// thread-safe.
class SharedMemory {
 public:
  // Returns why a rank is lost; empty: no rank is known to be lost. Called while an operation
  // waits; if the text is not empty, the operation throws SharedError(kPeerLost) with it.
  using Lost = std::function<std::string()>;

  // For the ranks of `by`, which are all on this machine; nullptr as for Mapping::open.
  static std::unique_ptr<SharedMemory> open(Group& by, Lost lost);

  // Like the functions of Group. values: contiguous, on the CPU.
  std::unique_ptr<Pending> start_sum(const at::Tensor& values) { return start(values, kSum); }
  std::unique_ptr<Pending> start_sum_of_part(const at::Tensor& values, Part mine) {
    return start(values, kSum, mine);
  }
  std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) {
    return start(values, from);
  }
  // As Group::make_buffer: this rank's part of memory that all ranks map; undefined tensor: not
  // available.
  at::Tensor make_buffer(Group& by, int64_t elements, const at::TensorOptions& options);
  // As Group::make_shared_memory: the same memory in all ranks; undefined tensor: not available.
  static at::Tensor make_shared_memory(Group& by, int64_t elements,
                                       const at::TensorOptions& options);

  // Time in seconds in which this rank did nothing but wait for others.
  double waited_seconds() const { return waited_seconds_; }

  static constexpr int64_t kChunkBytes = 1 << 20;

 private:
  static constexpr int64_t kSum = -1;

  // How many chunks a rank has finished, by phase. Each rank writes its own.
  struct alignas(64) Done {
    std::atomic<int64_t> copied_in, reduced, copied_out;
    static_assert(std::atomic<int64_t>::is_always_lock_free);  // so processes may share it
  };
  struct Buffer {
    std::shared_ptr<Mapping> memory;
    int64_t bytes;  // of each rank
  };
  struct Chunk {
    at::Tensor values;     // [n]
    int64_t from;          // the rank whose values are broadcast, or kSum
    const Buffer* buffer;  // where the values are; nullptr: in memory of this rank only
    int64_t byte_offset;   // in the buffer
    // The elements that this rank sums and that no other rank needs. nullopt: each rank sums its
    // part of the chunk (part_of_rank) and needs all sums. Values outside a buffer have nullopt.
    std::optional<Part> mine;
  };
  class PendingChunks;

  SharedMemory(int64_t rank, int64_t ranks, std::shared_ptr<Mapping> memory, Lost lost)
      : rank_(rank),
        ranks_(ranks),
        slots_(slots_of(ranks)),
        memory_(std::move(memory)),
        lost_(std::move(lost)) {}

  static int64_t slots_of(int64_t ranks);
  static int64_t slots_begin(int64_t ranks);

  std::unique_ptr<Pending> start(const at::Tensor& values, int64_t from,
                                 std::optional<Part> mine = std::nullopt);
  const Buffer* buffer_of(const at::Tensor& values, int64_t& byte_offset) const;
  Done& done(int64_t rank) const;
  at::Tensor of_rank(int64_t rank, int64_t index, const Chunk& chunk) const;
  bool all(std::atomic<int64_t> Done::*what, int64_t beyond) const;
  void copy_in(Chunk chunk);
  void reduce(const Chunk& chunk);
  void copy_out(const Chunk& chunk);
  bool progress();
  void wait_for(const std::function<bool()>& condition);

  const int64_t rank_, ranks_, slots_;
  const std::shared_ptr<Mapping> memory_;  // the Done of each rank, then the slots of each rank
  const Lost lost_;
  std::deque<Buffer> buffers_;
  std::deque<Chunk> chunks_;  // those that are copied in and not copied out yet
  // Index of the next chunk to be copied in, reduced, copied out.
  int64_t copied_in_ = 0, reduced_ = 0, copied_out_ = 0;
  double waited_seconds_ = 0;
};

}  // namespace fcm::dist
