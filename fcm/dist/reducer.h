// Sums the gradients of all ranks while the backward pass goes on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::dist {

// A parameter whose gradient is a part of the flat buffer.
struct Filled {
  std::string name;
  at::Tensor leaf;
};

// The buffer is cut into buckets at borders of parameters. A bucket is sent off as soon as the
// backward pass has filled all of it, in an order that is the same in every rank: that in which
// rank 0's first backward pass filled them. Cuts and sums do not depend on time, so as many ranks
// give the same bits in every run.
class Reducer {
 public:
  // gradients: [E], where those of the leaves lie one after another. Buckets hold at least
  // `bucket_bytes`, but for the last.
  Reducer(std::shared_ptr<Group> group, const at::Tensor& gradients, std::vector<Filled> parameters,
          int64_t bucket_bytes = kBucketBytes);
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  // The next backward pass is this step's last: what it fills is complete. Those before it add to
  // the buffer alone.
  void begin_last_pass();
  // After it: waits until the buffer holds the sums of all ranks. `numbers` are summed on the way,
  // in float64. Throws std::logic_error with the name of a parameter of which no rank filled the
  // gradient.
  void finish(std::vector<double>& numbers);

  int64_t buckets() const { return std::ssize(buckets_); }

  static constexpr int64_t kBucketBytes = 8 << 20;

 private:
  struct Bucket {
    at::Tensor values;          // of the buffer
    size_t first = 0, end = 0;  // parameters
    size_t missing = 0;         // of them in this pass
    std::unique_ptr<Pending> sum;
  };
  class Hook;

  void note_filled(size_t parameter);
  void send_ready();
  void agree_on_order();
  void refuse_unfilled();

  std::shared_ptr<Group> group_;
  std::vector<Filled> parameters_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;   // of each parameter
  std::vector<size_t> order_;       // of the buckets; empty: not known yet
  std::vector<bool> filled_;        // in this step
  std::vector<int64_t> filled_at_;  // in the first: how many were before
  size_t sent_ = 0;
  bool in_last_pass_ = false;
};

}  // namespace fcm::dist
