#include <algorithm>
#include <cmath>
#include <limits>

#include "fcm/loader/sources/coco_tables.h"

namespace fcm::loader {
namespace {

// The numbers as hundredths; empty if one is not an exact multiple of 1/100.
std::vector<int32_t> hundredths_of(std::span<const double> numbers) {
  constexpr double kMost = std::numeric_limits<int32_t>::max();
  std::vector<int32_t> hundredths;
  hundredths.reserve(numbers.size());
  for (const double number : numbers) {
    const double whole = std::nearbyint(number * 100);
    if (!(std::abs(whole) <= kMost) || whole / 100 != number) return {};
    hundredths.push_back(static_cast<int32_t>(whole));
  }
  return hundredths;
}

}  // namespace

CocoShapes::Location CocoShapes::add_polygons(std::span<const double> numbers,
                                              std::span<const uint32_t> part_sizes) {
  Location location;
  location.first_part = part_sizes_.size();
  location.size = static_cast<uint32_t>(part_sizes.size());
  part_sizes_.insert(part_sizes_.end(), part_sizes.begin(), part_sizes.end());
  const std::vector<int32_t> hundredths = hundredths_of(numbers);
  if (hundredths.empty()) {
    location.form = Location::Form::kNumbers;
    location.begin = numbers_.size();
    numbers_.insert(numbers_.end(), numbers.begin(), numbers.end());
  } else {
    location.begin = hundredths_.size();
    hundredths_.insert(hundredths_.end(), hundredths.begin(), hundredths.end());
  }
  return location;
}

CocoShapes::Location CocoShapes::add_mask(const image::RunLengths& mask) {
  const std::string text = image::run_lengths_text(mask);
  Location location;
  location.form = Location::Form::kMask;
  location.begin = masks_.size();
  location.size = static_cast<uint32_t>(text.size());
  masks_.insert(masks_.end(), text.begin(), text.end());
  return location;
}

void CocoShapes::read(const Location& location, int64_t rows, int64_t cols,
                      Instance& instance) const {
  if (location.form == Location::Form::kMask) {
    const auto begin = masks_.begin() + static_cast<ptrdiff_t>(location.begin);
    instance.mask = image::parse_run_lengths(std::string(begin, begin + location.size), rows, cols);
    return;
  }
  uint64_t at = location.begin;
  for (uint64_t part = location.first_part; part < location.first_part + location.size; ++part) {
    std::vector<double>& xy = instance.outlines.emplace_back(part_sizes_[part]);
    for (double& number : xy) {
      number =
          location.form == Location::Form::kHundredths ? hundredths_[at] / 100.0 : numbers_[at];
      ++at;
    }
  }
}

}  // namespace fcm::loader
