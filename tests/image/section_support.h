// Compares random boxes that are decoded directly with boxes cut out of the whole decoded image.
#pragma once

#include <algorithm>
#include <cmath>

#include "fcm/base/random.h"
#include "tests/image/support.h"

namespace fcm::test {

// A random box with an area fraction as in training. Sides of every eighth box are at most 40.
inline image::Box random_box(KeyedRandom& random, int64_t rows, int64_t cols, int64_t number) {
  const double share = 0.08 + 0.92 * random.uniform_double();
  const double shape = std::exp(2 * random.uniform_double() - 1);
  const auto side = [&](double ideal, int64_t whole) {
    const auto limit = number % 8 == 0 ? std::min<int64_t>(whole, 40) : whole;
    return std::clamp<int64_t>(static_cast<int64_t>(ideal), 1, limit);
  };
  const double area = share * static_cast<double>(rows * cols);
  image::Box box;
  box.rows = side(std::sqrt(area * shape), rows);
  box.cols = side(std::sqrt(area / shape), cols);
  box.top = static_cast<int64_t>(random.below(static_cast<uint64_t>(rows - box.rows + 1)));
  box.left = static_cast<int64_t>(random.below(static_cast<uint64_t>(cols - box.cols + 1)));
  return box;
}

inline std::vector<uint8_t> cut_out(const image::Image& image, const image::Box& box) {
  std::vector<uint8_t> pixels;
  for (int64_t row = box.top; row < box.top + box.rows; ++row) {
    const auto* from = image.pixels.data() + (row * image.cols + box.left) * image.channels;
    pixels.insert(pixels.end(), from, from + box.cols * image.channels);
  }
  return pixels;
}

inline image::Section section_of(std::span<const uint8_t> bytes, const image::Box& box,
                                 int64_t channels = 3) {
  return image::decode_section(bytes, channels, [&](int64_t, int64_t) { return box; });
}

// Decodes `boxes` random boxes. Returns how many differ from the same box of the whole image.
inline int different_sections(std::span<const uint8_t> bytes, int64_t boxes, uint64_t key,
                              int64_t channels = 3) {
  const image::Image whole = image::decode(bytes, channels);
  KeyedRandom random(1, Purpose::kSynthetic, 0, key);
  int different = 0;
  for (int64_t i = 0; i < boxes; ++i) {
    const image::Box box = random_box(random, whole.rows, whole.cols, i);
    const image::Section section = section_of(bytes, box, channels);
    different += cut_out(section.image, section.box) != cut_out(whole, box);
  }
  return different;
}

// Compares `boxes` random boxes of every `step`-th JPEG of the sample. Returns the number of boxes.
inline int compare_photographs(size_t step, int64_t boxes) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(data_folder() / "imagenet-sample")) {
    if (entry.path().extension() == ".JPEG") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  int compared = 0;
  for (size_t i = 0; i < files.size(); i += step) {
    EXPECT_EQ(different_sections(bytes_of(files[i]), boxes, i), 0) << files[i];
    compared += static_cast<int>(boxes);
  }
  return compared;
}

}  // namespace fcm::test
