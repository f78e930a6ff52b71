// Helpers shared by the files about masks. Private to this folder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/run_lengths.h"

namespace fcm::image {

// Appends runs in the canonical form of `RunLengths`: a run of the same value as the last one
// extends it.
class RunBuilder {
 public:
  explicit RunBuilder(std::vector<uint32_t>& runs) : runs_(runs) {}

  void add(bool set, int64_t length) {
    if (length == 0) return;
    if (runs_.empty() && set) runs_.push_back(0);
    const bool last_set = runs_.size() % 2 == 0;
    if (!runs_.empty() && set == last_set) {
      runs_.back() += static_cast<uint32_t>(length);
    } else {
      runs_.push_back(static_cast<uint32_t>(length));
    }
  }

 private:
  std::vector<uint32_t>& runs_;
};

inline void refuse_other_size(const RunLengths& one, const RunLengths& other) {
  if (one.rows != other.rows || one.cols != other.cols) {
    fail(ExitCode::kData,
         "a mask of {} x {} pixels meets one of {} x {}: they are of different images", one.rows,
         one.cols, other.rows, other.cols);
  }
}

// Calls `visit(in_one, in_other, length)`, in order, for the stretches in which neither mask
// changes. Both masks must have the same size.
template <class Visit>
void walk_run_pairs(const RunLengths& one, const RunLengths& other, const Visit& visit) {
  size_t at_one = 0, at_other = 0;
  int64_t left_one = one.runs[0], left_other = other.runs[0];
  while (true) {
    const int64_t length = std::min(left_one, left_other);
    visit(at_one % 2 == 1, at_other % 2 == 1, length);
    left_one -= length;
    left_other -= length;
    if (left_one == 0) {
      if (++at_one == one.runs.size()) return;
      left_one = one.runs[at_one];
    }
    if (left_other == 0) {
      if (++at_other == other.runs.size()) return;
      left_other = other.runs[at_other];
    }
  }
}

// Calls see(column, begin, end), in order, for each run of rows [begin, end) that belong to the
// object in one of the columns [first, end_col).
template <class See>
void for_object_rows(const RunLengths& mask, int64_t first, int64_t end_col, const See& see) {
  const int64_t begin = first * mask.rows, end = end_col * mask.rows;
  int64_t place = 0;
  for (size_t i = 0; i < mask.runs.size() && place < end; ++i) {
    const int64_t stop = place + mask.runs[i];
    if (i % 2 == 1) {
      const int64_t last = std::min(stop, end);
      for (int64_t at = std::max(place, begin); at < last;) {
        const int64_t top = at / mask.rows * mask.rows, bottom = std::min(last, top + mask.rows);
        see(top / mask.rows, at - top, bottom - top);
        at = bottom;
      }
    }
    place = stop;
  }
}

}  // namespace fcm::image
