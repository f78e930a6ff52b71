// A group that records the start and the end of every all-reduce.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "fcm/base/stopwatch.h"
#include "fcm/dist/group.h"

namespace fcm::bench {

struct TimedAllReduce {
  int64_t bytes = 0;
  double begin = 0, end = 0;  // seconds since record()
};

// Forwards to `group`. While recording, a thread waits for each all-reduce, so all-reduces must run
// over a network: one in shared memory is computed by the thread that waits for it.
class TimedGroup final : public dist::Group {
 public:
  explicit TimedGroup(std::shared_ptr<dist::Group> group) : group_(std::move(group)) {}

  // Drops earlier records and starts recording.
  void record();
  // The all-reduces since record(), in order of their start; valid after all were waited for.
  const std::vector<TimedAllReduce>& sums() const { return sums_; }

  int64_t rank() const override { return group_->rank(); }
  int64_t size() const override { return group_->size(); }
  int64_t local_rank() const override { return group_->local_rank(); }
  int64_t ranks_here() const override { return group_->ranks_here(); }
  int64_t agree(int64_t mine, dist::Agree how) override { return group_->agree(mine, how); }
  std::unique_ptr<dist::Pending> start_sum(const at::Tensor& values) override;
  std::unique_ptr<dist::Pending> start_broadcast(const at::Tensor& values, int64_t from) override {
    return group_->start_broadcast(values, from);
  }
  std::vector<at::Tensor> gather(const at::Tensor& mine) override { return group_->gather(mine); }
  at::Tensor make_buffer(int64_t elements, const at::TensorOptions& options) override {
    return group_->make_buffer(elements, options);
  }
  at::Tensor make_shared_memory(int64_t elements, const at::TensorOptions& options) override {
    return group_->make_shared_memory(elements, options);
  }
  double waited_seconds() const override { return group_->waited_seconds(); }

 private:
  class Timed;

  std::shared_ptr<dist::Group> group_;
  bool recording_ = false;
  Stopwatch watch_;
  std::vector<TimedAllReduce> sums_;
};

}  // namespace fcm::bench
