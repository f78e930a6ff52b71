// Reads images in order and skips unreadable ones.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/loader/bad_image_limits.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/slice.h"

namespace fcm::loader {

// Calls read(i) for each i of `part` on `threads` threads, and take(result) on the calling thread,
// in order. If read throws Error(kData), i is skipped and returned with the reason. Throws
// Error(kData) once there are more skipped images than data.max_bad_share and data.max_bad_in_a_row
// allow.
template <class Read, class Take>
std::vector<BadSample> for_each_readable(const Range& part, int64_t threads,
                                         const DataOptions& data, const Read& read,
                                         const Take& take) {
  using ReadOrBad = std::variant<std::invoke_result_t<const Read&, int64_t>, BadSample>;
  const auto try_to_read = [&](int64_t i) -> ReadOrBad {
    try {
      return read(part.begin + i);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kData) throw;
      return BadSample{part.begin + i, -1, error.what()};
    }
  };
  BadImageLimits limits(data, part.size());
  std::vector<BadSample> bad;
  for_each_in_order(part.size(), threads, try_to_read, [&](int64_t i, ReadOrBad result) {
    Batch one;  // BadImageLimits counts batches
    one.sample_ids = {part.begin + i};
    auto* const missing = std::get_if<BadSample>(&result);
    if (missing != nullptr) {
      bad.push_back(*missing);
      one.bad.push_back(std::move(*missing));
    }
    limits.count(one);
    if (missing == nullptr) take(std::get<0>(std::move(result)));
  });
  return bad;
}

}  // namespace fcm::loader
