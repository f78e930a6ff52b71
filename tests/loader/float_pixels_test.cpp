#include "fcm/loader/float_pixels.h"

#include <cmath>

#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

Batch grey_batch(int64_t count, int64_t side = 32, int64_t channels = 3) {
  Batch batch;
  batch.batch = count;
  batch.rows = batch.cols = side;
  batch.channels = channels;
  for (int64_t i = 0; i < count; ++i) batch.sample_ids.push_back(7 * i);
  batch.pixels_BHWC.assign(static_cast<size_t>(count * side * side * channels), 128);
  return batch;
}

TEST(NormalisedPixels, ByHandForEveryChannel) {
  Batch batch = grey_batch(1, 1);
  batch.pixels_BHWC = {0, 51, 255};
  DataOptions options;
  options.mean = {0.5, 0.1, 0.25};
  options.stddev = {0.5, 0.2, 0.25};
  EXPECT_EQ(normalised_pixels(batch, options), (std::vector<float>{-1, 0.5F, 3}));
}

// Number, sums and bounding box of the erased values of an image.
struct Erased {
  int64_t count = 0;
  int64_t top = 1000, bottom = -1, left = 1000, right = -1;
  double sum = 0, squares = 0;
};

Erased erased_of(const float* image, int64_t side) {
  Erased found;
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t k = 0; k < side * 3; ++k) {
      const double value = image[row * side * 3 + k];
      if (value == 99) continue;
      ++found.count;
      found.sum += value;
      found.squares += value * value;
      found.top = std::min(found.top, row);
      found.bottom = std::max(found.bottom, row);
      found.left = std::min(found.left, k / 3);
      found.right = std::max(found.right, k / 3);
    }
  }
  return found;
}

TEST(RandomErase, BoxesAndNoiseAreThePublishedOnes) {
  constexpr int64_t kSide = 32, kCount = 2000;
  const Batch batch = grey_batch(kCount, kSide);
  std::vector<float> pixels(batch.pixels_BHWC.size(), 99);
  AugmentOptions options;
  options.erasing = 0.25;
  random_erase(options, batch, 5, pixels.data());
  int64_t erased = 0, values = 0;
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const Erased box = erased_of(pixels.data() + i * kSide * kSide * 3, kSide);
    if (box.count == 0) continue;
    ++erased;
    const auto rows = static_cast<double>(box.bottom - box.top + 1);
    const auto cols = static_cast<double>(box.right - box.left + 1);
    ASSERT_EQ(box.count, static_cast<int64_t>(3 * rows * cols)) << "must be a full rectangle";
    // The bounds allow for the rounding of sides.
    EXPECT_GT((rows + 0.5) * (cols + 0.5), 0.02 * kSide * kSide);
    EXPECT_LT((rows - 0.5) * (cols - 0.5), kSide * kSide / 3.0);
    EXPECT_GT((rows + 0.5) / (cols - 0.5), 0.3);
    EXPECT_LT((rows - 0.5) / (cols + 0.5), 1 / 0.3);
    sum += box.sum;
    squares += box.squares;
    values += box.count;
  }
  EXPECT_NEAR(static_cast<double>(erased) / kCount, 0.25, 0.03);
  EXPECT_NEAR(sum / static_cast<double>(values), 0, 0.01);
  EXPECT_NEAR(squares / static_cast<double>(values), 1, 0.02);
}

TEST(RandomErase, DependsOnTheSampleNotOnItsPlace) {
  AugmentOptions options;
  options.erasing = 1;
  const auto erase = [&](const Batch& batch, uint64_t seed) {
    std::vector<float> pixels(batch.pixels_BHWC.size(), 99);
    random_erase(options, batch, seed, pixels.data());
    return pixels;
  };
  const Batch four = grey_batch(4);
  Batch third = grey_batch(1);
  third.sample_ids = {four.sample_ids[2]};
  const auto all = erase(four, 1), alone = erase(third, 1);
  const std::vector<float> in_batch(all.begin() + 2 * 3072, all.begin() + 3 * 3072);
  EXPECT_EQ(in_batch, alone);
  EXPECT_NE(erase(third, 2), alone);
  third.epoch = 1;
  EXPECT_NE(erase(third, 1), alone);
}

TEST(RandomErase, ProbabilityZeroTouchesNothing) {
  const Batch batch = grey_batch(50);
  std::vector<float> pixels(batch.pixels_BHWC.size(), 99);
  random_erase({}, batch, 1, pixels.data());
  EXPECT_EQ(pixels, std::vector<float>(pixels.size(), 99));
}

}  // namespace
}  // namespace fcm::loader
