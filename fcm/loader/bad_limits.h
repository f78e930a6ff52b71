// When too many pictures cannot be read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/loader/loader.h"

namespace fcm::loader {

// Counts in the order of the batches, so that the same run ends at the same step whatever the
// threads did. Starts anew with each epoch, and where the loader is started.
class BadLimits {
 public:
  // `samples` of an epoch.
  BadLimits(const DataOptions& options, int64_t samples);

  // Throws Error(kData) that names the first few bad pictures once a limit is passed.
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
