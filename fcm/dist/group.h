// Groups of processes that train or measure together. A single process is a group of one, so the
// same code serves one process and several.
//
// Decisions that change control flow must be the same in every process; otherwise some processes
// would wait for the others without end. A decision from values of one process (stop, micro-batch
// size, unreadable images, non-finite losses, loss spikes, the checkpoint to resume from) goes
// through agree(). All other decisions use only values that are equal in every process.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/dist/part.h"

namespace fcm::dist {

// How processes combine their values into one.
enum class Agree { kAny, kAll, kMin, kMax, kSum };

// An operation of a group that was started and may not have finished.
class Pending {
 public:
  virtual ~Pending() = default;
  virtual void wait() = 0;  // throws Error(kPeerLost)
};

// Every process must call the same operations in the same order, with contiguous tensors of the
// same shape and dtype: float32, float64, int64 or uint8. All operations throw Error(kPeerLost) if
// another process is lost.
class Group {
 public:
  virtual ~Group() = default;

  virtual int64_t rank() const = 0;  // 0 <= rank < size
  virtual int64_t size() const = 0;
  // Rank among the ranks on this machine; there are ranks_here() of them.
  virtual int64_t local_rank() const { return 0; }
  virtual int64_t ranks_here() const { return 1; }

  // An all-reduce of one number: returns the same value in every process. kAny and kAll treat 0 as
  // false and return 0 or 1.
  virtual int64_t agree(int64_t mine, Agree how) = 0;

  // All-reduce: replaces `values` by their sum over all ranks, added in the tensor's dtype. The
  // bits are the same in every rank, and in every run with the same number of ranks. Neither read
  // nor write `values` before wait() returns.
  virtual std::unique_ptr<Pending> start_sum(const at::Tensor& values) = 0;
  void sum(const at::Tensor& values) { start_sum(values)->wait(); }
  // Like start_sum, for a rank that needs only the sums of the elements `mine`; all other elements
  // are undefined afterwards. The parts of all ranks must cover each element exactly once. Cheaper
  // than start_sum if `values` is in a make_buffer() that the ranks map; otherwise it sums all
  // elements.
  virtual std::unique_ptr<Pending> start_sum_of_part(const at::Tensor& values, Part mine);
  // Memory for values that are summed repeatedly: [elements], initially zero. If all ranks are on
  // one machine, they map each other's buffers, which saves copies. Every rank must request the
  // same size.
  virtual at::Tensor make_buffer(int64_t elements, const at::TensorOptions& options);
  // Memory that all ranks map: [elements], initially zero. Put a barrier() between a write and
  // another rank's read. Returns an undefined tensor in every rank if the ranks cannot share
  // memory.
  virtual at::Tensor make_shared_memory(int64_t elements, const at::TensorOptions& options);
  // Copies the values of rank `from` to all ranks.
  virtual std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) = 0;
  void broadcast(const at::Tensor& values, int64_t from = 0) {
    start_broadcast(values, from)->wait();
  }
  // The values of all ranks, in rank order.
  virtual std::vector<at::Tensor> gather(const at::Tensor& mine) = 0;

  // Total time in seconds that this process has waited for others.
  virtual double waited_seconds() const { return 0; }

  // Only rank 0 writes files and prints.
  bool writes() const { return rank() == 0; }
  // Returns when every rank has called it. After that, each rank sees what all wrote before.
  void barrier() { agree(0, Agree::kMax); }
  bool any(bool mine) { return agree(mine ? 1 : 0, Agree::kAny) != 0; }
  bool all(bool mine) { return agree(mine ? 1 : 0, Agree::kAll) != 0; }
};

// A group of this process alone.
std::shared_ptr<Group> group_of_one();

// The rows [N_r, ...] of all ranks, concatenated by rank; N_r may differ.
at::Tensor gather_rows(Group& group, const at::Tensor& rows);

// The texts of all ranks, in rank order.
std::vector<std::string> gather_texts(Group& group, const std::string& mine);

// An error that every rank throws with the same message, so that one rank can report it for all.
class SharedError : public Error {
 public:
  using Error::Error;
};

// Runs `work` on rank 0 while the other ranks wait. If `work` throws an Error, every rank throws it
// as a SharedError.
void on_first(Group& group, const std::function<void()>& work);

}  // namespace fcm::dist
