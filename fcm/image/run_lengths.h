// Masks as COCO run lengths (RLE), column by column. Source: cocodataset/cocoapi, common/maskApi.c.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::image {

// Maximum number of pixels of a mask, so that every position and length fits an int32.
constexpr int64_t kMostMaskPixels = 2'147'483'647;

// Lengths of runs of equal pixels, column by column from the left, each column from the top. The
// first run is of zeros and is the only one that may be empty, so equal masks have equal runs. All
// runs add up to rows * cols, which is at least 1.
struct RunLengths {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<uint32_t> runs;

  bool operator==(const RunLengths&) const = default;
};

// The all-zero mask of rows x cols. Like all functions below that take rows and cols, throws
// Error(kData) if a side is below 1 or the mask exceeds kMostMaskPixels.
RunLengths empty_mask(int64_t rows, int64_t cols);

// COCO's text form of runs. From the fourth on, a run is stored as its difference to the run two
// before. A number is a sequence of groups of five bits, lowest first. A group is one character:
// '0' plus its bits, plus 32 if another group follows. The highest bit of the last group is the
// sign. Empty runs are accepted, and the runs on either side are merged. Error(kData) if the text
// has other characters, ends inside a number, has a number of more than seven groups or a negative
// run, or if its runs do not add up to rows * cols. Memory is at most four bytes a character.
RunLengths parse_run_lengths(std::string_view text, int64_t rows, int64_t cols);
std::string run_lengths_text(const RunLengths& mask);

// The mask with these run lengths, some of which may be 0. Error(kData) if one is negative or if
// they do not add up to rows * cols.
RunLengths run_lengths_of_counts(std::span<const int64_t> counts, int64_t rows, int64_t cols);

// The mask that changes at these positions (column * rows + row): each position toggles all pixels
// from there on. They may be in any order; equal positions cancel in pairs; rows * cols, past the
// last pixel, has no effect. Sorts `places` in place.
RunLengths run_lengths_of_changes(std::vector<int64_t>& places, int64_t rows, int64_t cols);

// Conversion from and to row-major bytes: nonzero bytes belong to the object; decoding gives 0 and
// 1.
RunLengths encode_mask(std::span<const uint8_t> mask_HW, int64_t rows, int64_t cols);
std::vector<uint8_t> decode_mask(const RunLengths& mask);

int64_t mask_area(const RunLengths& mask);  // pixels of the object

// Bounding box of the object: x, y, width, height in pixels; all 0 for an empty mask.
std::array<double, 4> mask_box(const RunLengths& mask);

// Union of one mask or more. Error(kData) if sizes differ.
RunLengths unite_masks(std::span<const RunLengths> masks);

// Intersection over union of every detection with every ground truth, row-major [D, T]; for a crowd
// (`crowd_T` is 1), intersection over the detection's area instead. 0 if they do not overlap.
// Error(kData) if sizes differ.
std::vector<double> mask_ious(std::span<const RunLengths* const> detections_D,
                              std::span<const RunLengths* const> truths_T,
                              std::span<const uint8_t> crowd_T);

}  // namespace fcm::image
