#include <algorithm>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/image/run_builder.h"
#include "fcm/image/run_lengths.h"

namespace fcm::image {
namespace {

// Bounding box [left, right) x [top, bottom) of a mask and its area in pixels; all 0 for an empty
// mask.
struct MaskExtent {
  int64_t left = 0, top = 0, right = 0, bottom = 0, area = 0;

  bool overlaps(const MaskExtent& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

MaskExtent extent_of(const RunLengths& mask) {
  MaskExtent extent{mask.cols, mask.rows, 0, 0, 0};
  const auto rows = static_cast<uint32_t>(mask.rows);  // 32-bit division is several times as fast
  uint32_t place = 0;
  for (size_t i = 0; i < mask.runs.size(); ++i) {
    const uint32_t end = place + mask.runs[i];
    if (i % 2 == 1 && end > place) {
      const int64_t first_col = place / rows, last_col = (end - 1) / rows;
      const bool wraps = first_col != last_col;  // from a column's bottom to the top of the next
      extent.left = std::min(extent.left, first_col);
      extent.right = std::max(extent.right, last_col + 1);
      extent.top = wraps ? 0 : std::min(extent.top, int64_t{place % rows});
      extent.bottom = wraps ? mask.rows : std::max(extent.bottom, int64_t{(end - 1) % rows + 1});
      extent.area += end - place;
    }
    place = end;
  }
  return extent.area == 0 ? MaskExtent{} : extent;
}

int64_t shared_pixels(const RunLengths& one, const RunLengths& other) {
  int64_t shared = 0;
  walk_run_pairs(one, other, [&](bool in_one, bool in_other, int64_t length) {
    if (in_one && in_other) shared += length;
  });
  return shared;
}

}  // namespace

int64_t mask_area(const RunLengths& mask) {
  int64_t area = 0;
  for (size_t i = 1; i < mask.runs.size(); i += 2) area += mask.runs[i];
  return area;
}

std::array<double, 4> mask_box(const RunLengths& mask) {
  const MaskExtent extent = extent_of(mask);
  return {static_cast<double>(extent.left), static_cast<double>(extent.top),
          static_cast<double>(extent.right - extent.left),
          static_cast<double>(extent.bottom - extent.top)};
}

std::vector<double> mask_ious(std::span<const RunLengths* const> detections_D,
                              std::span<const RunLengths* const> truths_T,
                              std::span<const uint8_t> crowd_T) {
  require(crowd_T.size() == truths_T.size(), "mask_ious: got {} truths, but {} crowd flags",
          truths_T.size(), crowd_T.size());
  if (truths_T.empty()) return {};
  std::vector<MaskExtent> extents_T;
  for (const RunLengths* truth : truths_T) extents_T.push_back(extent_of(*truth));
  std::vector<double> ious_DT;
  ious_DT.reserve(detections_D.size() * truths_T.size());
  for (const RunLengths* detection : detections_D) {
    const MaskExtent extent = extent_of(*detection);
    for (size_t t = 0; t < truths_T.size(); ++t) {
      refuse_other_size(*detection, *truths_T[t]);
      const int64_t shared =
          extent.overlaps(extents_T[t]) ? shared_pixels(*detection, *truths_T[t]) : 0;
      const int64_t whole =
          crowd_T[t] != 0 ? extent.area : extent.area + extents_T[t].area - shared;
      ious_DT.push_back(shared == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(whole));
    }
  }
  return ious_DT;
}

}  // namespace fcm::image
