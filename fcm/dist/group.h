// The processes that train or measure together. One process is a group of one, so a program for one
// process and for many is the same program.
//
// Whatever changes control flow must be the same in every process, or some of them wait for ever:
// each such decision (skip an update, roll back, stop, size of a micro-batch, too many bad
// pictures, which checkpoint to resume) goes through agree(), and nothing else may branch
// differently by rank.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::dist {

// How processes that see different values settle on one.
enum class Agree { kAny, kAll, kMin, kMax, kSum };

// An operation of the group that goes on while this process does something else.
class Pending {
 public:
  virtual ~Pending() = default;
  virtual void wait() = 0;  // throws Error(kPeerLost)
};

// Every process has to call the same operations, in the same order, with tensors of the same shape
// and type: contiguous, float32, float64, int64 or uint8. They throw Error(kPeerLost) where another
// process is lost.
class Group {
 public:
  virtual ~Group() = default;

  virtual int64_t rank() const = 0;  // 0 <= rank < size
  virtual int64_t size() const = 0;
  // Among the ranks on this machine, of which there are ranks_here().
  virtual int64_t local_rank() const { return 0; }
  virtual int64_t ranks_here() const { return 1; }

  // The same value in every process. Integers are exact. kAny and kAll take 0 for false and give 0
  // or 1.
  virtual int64_t agree(int64_t mine, Agree how) = 0;

  // Replaces `values` by their sum over all ranks, added in the tensor's type: the same bits in
  // every rank, and in every run with as many ranks. `values` may not be touched before wait().
  virtual std::unique_ptr<Pending> start_sum(const at::Tensor& values) = 0;
  void sum(const at::Tensor& values) { start_sum(values)->wait(); }
  // Memory for values that are summed again and again: [elements], zero. Ranks on one machine see
  // each other's, so nothing has to be copied; every rank asks for as much.
  virtual at::Tensor make_buffer(int64_t elements, const at::TensorOptions& options);
  // Memory that is the same in every rank: [elements], zero at first. Whoever changes what another
  // reads has to put a barrier() between. Undefined, in every rank: they have none in common.
  virtual at::Tensor make_common(int64_t elements, const at::TensorOptions& options);
  // Rank `from`'s values become everyone's.
  virtual std::unique_ptr<Pending> start_broadcast(const at::Tensor& values, int64_t from) = 0;
  void broadcast(const at::Tensor& values, int64_t from = 0) {
    start_broadcast(values, from)->wait();
  }
  // Everyone's values, by rank.
  virtual std::vector<at::Tensor> gather(const at::Tensor& mine) = 0;

  // How long this process has waited for others so far.
  virtual double waited_seconds() const { return 0; }

  // Rank 0 alone writes files and prints.
  bool writes() const { return rank() == 0; }
  // Returns when every rank has called it: what each wrote before, all see after it.
  void barrier() { agree(0, Agree::kMax); }
  bool any(bool mine) { return agree(mine ? 1 : 0, Agree::kAny) != 0; }
  bool all(bool mine) { return agree(mine ? 1 : 0, Agree::kAll) != 0; }
};

// One process.
std::shared_ptr<Group> group_of_one();

// Rows of all ranks, [N_r, ...] of which N_r differs, below each other in the order of ranks.
at::Tensor gather_rows(Group& group, const at::Tensor& rows);

// Texts of all ranks, by rank.
std::vector<std::string> gather_texts(Group& group, const std::string& mine);

// An error that every rank has alike, so that it is enough if one of them says it.
class SharedError : public Error {
 public:
  using Error::Error;
};

// Does `work` on rank 0 while the others wait. An Error that it throws is thrown in every rank, as
// a SharedError.
void on_first(Group& group, const std::function<void()>& work);

}  // namespace fcm::dist
