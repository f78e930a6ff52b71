// All-reduce of gradients, overlapped with the backward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/dist/part.h"

namespace fcm::dist {

// A parameter whose gradient is a slice of the flat buffer.
struct GradientSlice {
  std::string name;
  at::Tensor leaf;
};

// The gradient buffer is divided into buckets at parameter boundaries. A bucket is reduced as soon
// as it is filled and all buckets before it in the order were sent. The order of buckets is the
// same in every rank: the order in which the last backward pass of rank 0's first step filled them.
// That step sends its buckets after the pass. Buckets and sums do not depend on timing, so the same
// number of ranks gives the same bits in every run.
class Reducer {
 public:
  // gradients: [E], the gradients of `parameters` one after another. Every bucket but the last
  // holds at least `bucket_bytes`. `share`: the elements whose sums this rank needs; the shares of
  // all ranks cover each element once. nullopt: every rank needs all sums.
  Reducer(std::shared_ptr<Group> group, const at::Tensor& gradients,
          std::vector<GradientSlice> parameters, int64_t bucket_bytes = kBucketBytes,
          std::optional<Part> share = std::nullopt);
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  // Call before the last backward pass of a step. That pass sends the buckets that it completes, in
  // order; earlier passes only accumulate gradients.
  void begin_last_pass();
  // Call after the last pass: waits until the buffer holds the sums over all ranks. With a `share`,
  // only its elements are defined. Replaces `scalars` by their sums over all ranks, in float64.
  // Throws std::logic_error with the name of a parameter whose gradient no rank filled.
  void finish(std::vector<double>& scalars);

  int64_t buckets() const { return std::ssize(buckets_); }

  static constexpr int64_t kBucketBytes = 8 << 20;

 private:
  struct Bucket {
    at::Tensor values;          // slice of the gradients
    Part mine;                  // the elements of `values` that are in this rank's share
    size_t first = 0, end = 0;  // its parameters are [first, end)
    size_t missing = 0;         // number of parameters that this pass has not filled yet
    std::unique_ptr<Pending> sum;
  };
  class Hook;

  void note_filled(size_t parameter);
  void send_ready();
  void agree_on_order();
  void refuse_unfilled();

  std::shared_ptr<Group> group_;
  std::vector<GradientSlice> parameters_;
  std::optional<Part> share_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;   // bucket index of each parameter
  std::vector<size_t> order_;       // bucket indices in sending order; empty: before the first step
  std::vector<bool> filled_;        // by parameter: whether a pass of this step has filled it
  std::vector<int64_t> filled_at_;  // by parameter: how many the first step filled before it
  size_t sent_ = 0;                 // number of buckets sent in this step
  bool in_last_pass_ = false;
};

}  // namespace fcm::dist
