#include "fcm/image/run_lengths.h"

#include <algorithm>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/image/run_builder.h"

namespace fcm::image {
namespace {

int64_t checked_mask_pixels(int64_t rows, int64_t cols) {
  if (rows < 1 || cols < 1 || rows > kMostMaskPixels / cols) {
    fail(ExitCode::kData,
         "a mask of {} x {} pixels, expected sides of 1 or more and at most {} pixels", rows, cols,
         kMostMaskPixels);
  }
  return rows * cols;
}

// Checks the invariant of `RunLengths`; without it, decoding would write out of bounds.
void require_runs_match_size(const RunLengths& mask) {
  int64_t sum = 0;
  for (const uint32_t run : mask.runs) sum += run;
  require(mask.rows >= 1 && mask.cols >= 1 && mask.rows <= kMostMaskPixels / mask.cols &&
              sum == mask.rows * mask.cols,
          "expected runs of a mask of {} x {} pixels to add up to its area, got {}", mask.rows,
          mask.cols, sum);
}

// Builds a mask from untrusted runs, alternating zeros and ones.
class UntrustedRuns {
 public:
  UntrustedRuns(int64_t rows, int64_t cols)
      : left_(checked_mask_pixels(rows, cols)), mask_{rows, cols, {}}, builder_(mask_.runs) {}

  void add(int64_t length) {
    if (length < 0 || length > left_) {
      fail(ExitCode::kData, "run {} of a mask of {} x {} pixels has length {}, expected 0 to {}",
           number_, mask_.rows, mask_.cols, length, left_);
    }
    left_ -= length;
    builder_.add(number_ % 2 == 1, length);
    ++number_;
  }

  RunLengths finish() {
    if (left_ > 0) {
      fail(ExitCode::kData, "the {} runs of a mask of {} x {} pixels leave {} pixels over", number_,
           mask_.rows, mask_.cols, left_);
    }
    return std::move(mask_);
  }

 private:
  int64_t left_, number_ = 0;
  RunLengths mask_;
  RunBuilder builder_;
};

constexpr int kGroupBits = 5;
constexpr int kMostGroups = 7;  // 35 bits, enough for any difference of two lengths

// Parses the number at `at` and advances `at` past it.
int64_t parse_run_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (int group = 0; group < kMostGroups; ++group) {
    if (at == text.size()) {
      fail(ExitCode::kData, "the run lengths of a mask end within a number, after {} characters",
           at);
    }
    const int bits = static_cast<unsigned char>(text[at]) - '0';
    if (bits < 0 || bits > 63) {
      fail(ExitCode::kData,
           "character {} of a mask's run lengths has the code {}, expected '0' (48) to 'o' (111)",
           at, bits + '0');
    }
    ++at;
    const int shift = kGroupBits * group;
    value |= static_cast<int64_t>(bits & 31) << shift;
    if ((bits & 32) == 0) {
      return (bits & 16) == 0 ? value : value - (int64_t{1} << (shift + kGroupBits));
    }
  }
  fail(ExitCode::kData,
       "a number in a mask's run lengths has more than {} digits, before character {}", kMostGroups,
       at);
}

void append_run_number(std::string& text, int64_t value) {
  bool more = true;
  while (more) {
    int64_t bits = value & 31;
    value >>= kGroupBits;
    more = (bits & 16) == 0 ? value != 0 : value != -1;
    if (more) bits |= 32;
    text.push_back(static_cast<char>('0' + bits));
  }
}

}  // namespace

RunLengths empty_mask(int64_t rows, int64_t cols) {
  return {rows, cols, {static_cast<uint32_t>(checked_mask_pixels(rows, cols))}};
}

RunLengths parse_run_lengths(std::string_view text, int64_t rows, int64_t cols) {
  UntrustedRuns runs(rows, cols);
  int64_t before = 0, two_before = 0;
  size_t at = 0;
  for (int64_t number = 0; at < text.size(); ++number) {
    // add() checks the range of lengths, so a length plus 35 bits cannot overflow.
    const int64_t length = parse_run_number(text, at) + (number > 2 ? two_before : 0);
    runs.add(length);
    two_before = before;
    before = length;
  }
  return runs.finish();
}

std::string run_lengths_text(const RunLengths& mask) {
  std::string text;
  for (size_t i = 0; i < mask.runs.size(); ++i) {
    const int64_t two_before = i > 2 ? mask.runs[i - 2] : 0;
    append_run_number(text, int64_t{mask.runs[i]} - two_before);
  }
  return text;
}

RunLengths run_lengths_of_counts(std::span<const int64_t> counts, int64_t rows, int64_t cols) {
  UntrustedRuns runs(rows, cols);
  for (const int64_t length : counts) runs.add(length);
  return runs.finish();
}

RunLengths run_lengths_of_changes(std::vector<int64_t>& places, int64_t rows, int64_t cols) {
  const int64_t pixels = checked_mask_pixels(rows, cols);
  std::sort(places.begin(), places.end());
  require(places.empty() || (places.front() >= 0 && places.back() <= pixels),
          "run_lengths_of_changes: positions outside a mask of {} pixels", pixels);
  RunLengths mask{rows, cols, {}};
  RunBuilder builder(mask.runs);
  int64_t done = 0;
  bool set = false;
  for (const int64_t place : places) {
    builder.add(set, place - done);
    done = place;
    set = !set;
  }
  builder.add(set, pixels - done);
  return mask;
}

RunLengths encode_mask(std::span<const uint8_t> mask_HW, int64_t rows, int64_t cols) {
  const int64_t pixels = checked_mask_pixels(rows, cols);
  require(std::ssize(mask_HW) == pixels, "encode_mask: a mask of {} x {} pixels has {} bytes", rows,
          cols, mask_HW.size());
  // Scans along rows for pixels that differ from the pixel above (in the first row: from the last
  // pixel of the previous column). Most blocks equal the one above, so blocks are compared first.
  constexpr int64_t kBlock = 64;
  std::vector<int64_t> places;
  const auto is_set = [&](int64_t row, int64_t col) {
    return mask_HW[static_cast<size_t>(row * cols + col)] != 0;
  };
  for (int64_t col = 0; col < cols; ++col) {
    if (is_set(0, col) != (col > 0 && is_set(rows - 1, col - 1))) places.push_back(col * rows);
  }
  for (int64_t row = 1; row < rows; ++row) {
    const uint8_t* here = mask_HW.data() + row * cols;
    for (int64_t begin = 0; begin < cols; begin += kBlock) {
      const int64_t end = std::min(begin + kBlock, cols);
      if (std::memcmp(here + begin, here - cols + begin, static_cast<size_t>(end - begin)) == 0) {
        continue;
      }
      for (int64_t col = begin; col < end; ++col) {
        if ((here[col] != 0) != (here[col - cols] != 0)) places.push_back(col * rows + row);
      }
    }
  }
  return run_lengths_of_changes(places, rows, cols);
}

std::vector<uint8_t> decode_mask(const RunLengths& mask) {
  require_runs_match_size(mask);
  std::vector<uint8_t> mask_HW(static_cast<size_t>(mask.rows * mask.cols));
  int64_t place = 0;
  bool set = false;
  for (const uint32_t run : mask.runs) {
    const int64_t end = place + run;
    if (set) {
      int64_t row = place % mask.rows, col = place / mask.rows;
      for (; place < end; ++place) {
        mask_HW[static_cast<size_t>(row * mask.cols + col)] = 1;
        if (++row == mask.rows) row = 0, ++col;
      }
    }
    place = end;
    set = !set;
  }
  return mask_HW;
}

RunLengths unite_masks(std::span<const RunLengths> masks) {
  require(!masks.empty(), "unite_masks: expected at least one mask");
  RunLengths all = masks.front();
  require_runs_match_size(all);
  for (const RunLengths& next : masks.subspan(1)) {
    refuse_other_size(all, next);
    require_runs_match_size(next);
    RunLengths both{all.rows, all.cols, {}};
    RunBuilder builder(both.runs);
    walk_run_pairs(all, next, [&](bool in_one, bool in_other, int64_t length) {
      builder.add(in_one || in_other, length);
    });
    all = std::move(both);
  }
  return all;
}

}  // namespace fcm::image
