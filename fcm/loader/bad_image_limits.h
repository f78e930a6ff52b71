// Limits on unreadable images.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/loader/loader.h"

namespace fcm::loader {

// Counts bad images in the order of batches, so that a run ends at the same step for any thread
// timing. The count of an epoch restarts at each epoch; the count in a row does not. Checkpoints
// contain neither count: a resumed run counts from 0.
class BadImageLimits {
 public:
  // `samples`: number of samples of an epoch.
  BadImageLimits(const DataOptions& options, int64_t samples);

  // Throws Error(kData) that names the first few bad images, once max_bad_in_a_row is reached or
  // max_bad_share exceeded.
  void count(const Batch& batch);

 private:
  [[noreturn]] void give_up(const std::string& why) const;

  int64_t allowed_;
  int64_t allowed_in_a_row_;
  int64_t samples_;
  int64_t epoch_ = -1;
  int64_t bad_ = 0;
  int64_t in_a_row_ = 0;
  std::vector<std::string> first_reasons_;
};

}  // namespace fcm::loader
