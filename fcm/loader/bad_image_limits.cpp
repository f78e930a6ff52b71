#include "fcm/loader/bad_image_limits.h"

#include <fmt/ranges.h>

#include <cmath>

#include "fcm/base/error.h"

namespace fcm::loader {

BadImageLimits::BadImageLimits(const DataOptions& options, int64_t samples)
    // Rounded up: a small set may have one bad image unless the share is zero.
    : allowed_(
          static_cast<int64_t>(std::ceil(options.max_bad_share * static_cast<double>(samples)))),
      allowed_in_a_row_(options.max_bad_in_a_row),
      samples_(samples) {}

void BadImageLimits::count(const Batch& batch) {
  if (batch.epoch != epoch_) {
    epoch_ = batch.epoch;
    bad_ = 0;
    first_reasons_.clear();
  }
  size_t reported = 0;
  for (const int64_t sample : batch.sample_ids) {
    if (reported == batch.bad.size() || batch.bad[reported].sample != sample) {
      in_a_row_ = 0;
      continue;
    }
    if (first_reasons_.size() < 3) first_reasons_.push_back(batch.bad[reported].reason);
    ++reported;
    ++bad_;
    if (++in_a_row_ >= allowed_in_a_row_) {
      give_up(fmt::format("{} in a row (data.max_bad_in_a_row)", in_a_row_));
    }
    if (bad_ > allowed_) {
      give_up(fmt::format("{} of the {} of epoch {}, but {} are allowed (data.max_bad_share)", bad_,
                          samples_, epoch_, allowed_));
    }
  }
}

void BadImageLimits::give_up(const std::string& why) const {
  fail(ExitCode::kData, "too many images cannot be read: {}; the first are: {}", why,
       fmt::join(first_reasons_, "; "));
}

}  // namespace fcm::loader
