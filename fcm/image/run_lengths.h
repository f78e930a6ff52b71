// Masks as COCO keeps them: lengths of runs, column by column. Source: cocodataset/cocoapi,
// common/maskApi.c.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::image {

// No mask has more pixels, so that every place and every length fits an int32.
constexpr int64_t kMostMaskPixels = 2'147'483'647;

// Lengths of runs of equal pixels, column by column from the left, each from the top; the first run
// is of zeros, and may be empty; no other is. So equal masks have equal runs. They add up to
// rows * cols, which is at least 1.
struct RunLengths {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<uint32_t> runs;

  bool operator==(const RunLengths&) const = default;
};

// The mask of rows x cols whose pixels are all zero. Error(kData) where a side is below 1 or there
// are more than kMostMaskPixels: so do all functions below that are given rows and cols.
RunLengths empty_mask(int64_t rows, int64_t cols);

// COCO's text of runs: from the fourth on, a run is written as the difference to the one two
// before; groups of five bits, the lowest first, each as one character from '0' on with 32 added
// where another follows; the last group's highest bit is the sign. Runs of length 0 are accepted
// and joined away. Error(kData) where the text has another character, ends inside a number, has a
// negative run, or its runs do not add up to rows * cols. Memory is at most four bytes a character.
RunLengths parse_run_lengths(std::string_view text, int64_t rows, int64_t cols);
std::string run_lengths_text(const RunLengths& mask);

// From lengths that are written out as numbers, of which some may be 0. Error(kData) where one is
// negative or they do not add up to rows * cols.
RunLengths run_lengths_of_counts(std::span<const int64_t> counts, int64_t rows, int64_t cols);

// Where a mask's pixels change, as places (column * rows + row) in COCO's order: each turns all
// pixels from there on over. In any order; a place named twice is turned back; rows * cols, which
// is behind the last pixel, does nothing. The places are sorted where they are.
RunLengths run_lengths_of_changes(std::vector<int64_t>& places, int64_t rows, int64_t cols);

// From and to bytes, row by row: every byte but 0 belongs to the object; the way back gives 0 and
// 1.
RunLengths encode_mask(std::span<const uint8_t> mask_HW, int64_t rows, int64_t cols);
std::vector<uint8_t> decode_mask(const RunLengths& mask);

int64_t mask_area(const RunLengths& mask);  // pixels of the object

// The smallest box around the object: x, y of its first pixel, width, height; all 0 where there is
// none.
std::array<double, 4> mask_box(const RunLengths& mask);

// What belongs to one of them at least. One mask or more; Error(kData) where sizes differ.
RunLengths unite_masks(std::span<const RunLengths> masks);

// Intersection over union of every detection with every truth, [D, T] row by row; with a crowd it
// is the intersection over the detection's area. 0 where they do not meet. `crowd_T` is 1 where a
// truth is a crowd. Error(kData) where sizes differ.
std::vector<double> mask_ious(std::span<const RunLengths* const> detections_D,
                              std::span<const RunLengths* const> truths_T,
                              std::span<const uint8_t> crowd_T);

}  // namespace fcm::image
