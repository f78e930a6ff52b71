#include "fcm/viz/reconstruction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "fcm/base/random.h"

namespace fcm::viz {
namespace {

image::Image random_image(int64_t rows, int64_t cols, int64_t channels) {
  KeyedRandom random(1, Purpose::kSynthetic, 0, static_cast<uint64_t>(rows * 100 + cols));
  image::Image image{rows, cols, channels, {}};
  for (int64_t i = 0; i < rows * cols * channels; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(random.below(256)));
  }
  return image;
}

const PixelScale kRgb{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
const PixelScale kPlain{{0.f}, {1.f}};

TEST(Reconstruction, GreysOutExactlyTheHiddenPatches) {
  const image::Image image = random_image(4, 6, 3);
  const std::vector<uint8_t> hidden{0, 1, 0, 1, 0, 0};  // 2 x 3 patches of 2 x 2
  const image::Image out = grey_out(image, hidden, 2, 99);
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t col = 0; col < 6; ++col) {
      for (int64_t channel = 0; channel < 3; ++channel) {
        const auto at = static_cast<size_t>((row * 6 + col) * 3 + channel);
        const bool grey = (row < 2 && (col == 2 || col == 3)) || (row >= 2 && col < 2);
        EXPECT_EQ(out.pixels[at], grey ? 99 : image.pixels[at]) << row << " " << col;
      }
    }
  }
}

TEST(Reconstruction, PastesExactlyTheVisiblePatches) {
  const image::Image original{2, 4, 1, {1, 2, 3, 4, 5, 6, 7, 8}};
  const image::Image guess{2, 4, 1, {11, 12, 13, 14, 15, 16, 17, 18}};
  const std::vector<uint8_t> hidden{0, 1};
  EXPECT_EQ(paste_visible(original, guess, hidden, 2).pixels,
            (std::vector<uint8_t>{1, 2, 13, 14, 5, 6, 17, 18}));
}

TEST(Reconstruction, OrdersPatchValuesByRowColumnChannel) {
  image::Image image{2, 4, 2, {}};
  for (uint8_t i = 0; i < 16; ++i) image.pixels.push_back(i);
  const std::vector<float> values =
      patches_from_image(image, 2, {{0.f, 0.f}, {1 / 255.f, 1 / 255.f}});
  const std::vector<float> expected{0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-5) << i;
}

TEST(Reconstruction, ImagesComeBackFromTheirPatches) {
  const image::Image image = random_image(8, 12, 3);
  const std::vector<float> values = patches_from_image(image, 4, kRgb);
  EXPECT_EQ(image_from_patches(values, 8, 12, 3, 4, kRgb).pixels, image.pixels);
}

TEST(Reconstruction, ClampsAndShowsNanAsBlack) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{-3.f, 7.f, nan, 0.5f};
  EXPECT_EQ(image_from_patches(values, 2, 2, 1, 2, kPlain).pixels,
            (std::vector<uint8_t>{0, 255, 0, 128}));
}

TEST(Reconstruction, StatisticsAreThoseOfTheTarget) {
  const std::vector<float> values{1, 2, 3, 6, 5, 5, 5, 5};
  const PatchStatistics statistics = patch_statistics(values, 2);
  EXPECT_FLOAT_EQ(statistics.mean_L[0], 3.f);
  EXPECT_FLOAT_EQ(statistics.stddev_L[0], std::sqrt(14.f / 3 + 1e-6f));  // unbiased: D - 1
  EXPECT_FLOAT_EQ(statistics.mean_L[1], 5.f);
  EXPECT_FLOAT_EQ(statistics.stddev_L[1], 1e-3f);
  EXPECT_FLOAT_EQ(patch_statistics(values, 2, 4.0).stddev_L[1], 2.f);
}

TEST(Reconstruction, DenormaliseUndoesTheTargetsNormalisation) {
  const image::Image image = random_image(8, 8, 3);
  const std::vector<float> values = patches_from_image(image, 4, kRgb);
  const PatchStatistics statistics = patch_statistics(values, 4);
  std::vector<float> target = values;
  for (size_t i = 0; i < target.size(); ++i) {
    target[i] = (target[i] - statistics.mean_L[i / 48]) / statistics.stddev_L[i / 48];
  }
  EXPECT_NE(image_from_patches(target, 8, 8, 3, 4, kRgb).pixels, image.pixels);
  denormalise(target, statistics);
  EXPECT_EQ(image_from_patches(target, 8, 8, 3, 4, kRgb).pixels, image.pixels);
}

TEST(Reconstruction, MergesOnlyTheViewsThatHadToGuess) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // Two views of three patches with two values each; NaN: the view did not predict the patch.
  const std::vector<float> predictions{1, 2, nan, nan, nan, nan, 5, 8, 3, 4, nan, nan};
  const std::vector<uint8_t> hidden{1, 0, 0, 1, 1, 0};
  const MergedViews merged = merge_views(predictions, hidden, 2, 3);
  EXPECT_EQ(merged.values_LD, (std::vector<float>{3, 5, 3, 4, 0, 0}));
  EXPECT_EQ(merged.predicted_L, (std::vector<uint8_t>{1, 1, 0}));
}

// Predictions that equal the target for hidden patches and are useless for visible patches.
struct Perfect {
  explicit Perfect(int64_t views) : views_count(views) {
    const std::vector<float> values = patches_from_image(image, 4, kRgb);
    const PatchStatistics statistics = patch_statistics(values, 6);
    for (int64_t view = 0; view < views; ++view) {
      for (size_t patch = 0; patch < 6; ++patch) {
        const bool visible = static_cast<int64_t>(patch) % 3 == view;
        hidden.push_back(visible ? 0 : 1);
        for (size_t d = 0; d < 48; ++d) {
          predictions.push_back(visible ? -1e9f
                                        : (values[patch * 48 + d] - statistics.mean_L[patch]) /
                                              statistics.stddev_L[patch]);
        }
      }
    }
  }
  Reconstruction input() const {
    return {image, 4, views_count, predictions, hidden, true, 1e-6, kRgb};
  }

  int64_t views_count;
  image::Image image = random_image(8, 12, 3);
  std::vector<float> predictions;
  std::vector<uint8_t> hidden;
};

TEST(Reconstruction, PerfectPredictionsRestoreTheImage) {
  const Perfect perfect(3);
  const SheetRow row = reconstruction_row(perfect.input());
  ASSERT_EQ(row.tiles.size(), reconstruction_columns(3).size());
  ASSERT_EQ(row.tiles.size(), 8u);
  EXPECT_EQ(row.tiles[0].pixels, perfect.image.pixels);
  for (const size_t tile : {2u, 4u, 6u, 7u}) {
    EXPECT_EQ(row.tiles[tile].pixels, perfect.image.pixels) << tile;
  }
  for (const size_t tile : {1u, 3u, 5u}) {
    EXPECT_NE(row.tiles[tile].pixels, perfect.image.pixels) << tile;
  }
}

TEST(Reconstruction, OneViewHasNothingToMerge) {
  const Perfect perfect(1);
  EXPECT_EQ(reconstruction_row(perfect.input()).tiles.size(), 3u);
  EXPECT_EQ(reconstruction_columns(1).size(), 3u);
}

TEST(Reconstruction, WithoutPatchNormalisationThePredictionIsShownAsItIs) {
  const Perfect perfect(3);
  Reconstruction input = perfect.input();
  input.normalised_patches = false;
  EXPECT_NE(reconstruction_row(input).tiles[2].pixels, perfect.image.pixels);
}

TEST(Reconstruction, TheSheetSaysWhereStatisticsWereBorrowed) {
  const Perfect perfect(3);
  Reconstruction input = perfect.input();
  const image::Image with = reconstruction_sheet({input}, "t");
  input.normalised_patches = false;
  const image::Image without = reconstruction_sheet({input}, "t");
  EXPECT_GT(with.rows, without.rows);  // the note has one more sentence
  EXPECT_NE(std::string(kBorrowedStatistics).find("original"), std::string::npos);
}

TEST(Reconstruction, RefusesShapesThatDoNotFit) {
  const image::Image image = random_image(8, 8, 1);
  const std::vector<uint8_t> hidden(4);
  EXPECT_THROW(grey_out(image, hidden, 3), std::logic_error);
  EXPECT_THROW(grey_out(image, hidden, 2), std::logic_error);
  EXPECT_THROW(grey_out(image, hidden, 0), std::logic_error);
  EXPECT_THROW(paste_visible(image, random_image(8, 4, 1), hidden, 4), std::logic_error);
  EXPECT_THROW(patches_from_image(image, 4, kRgb), std::logic_error);
  EXPECT_THROW(patch_statistics(std::vector<float>(7), 2), std::logic_error);
  EXPECT_THROW(reconstruction_sheet({}, "t"), std::logic_error);
  EXPECT_NO_THROW(grey_out(image, hidden, 4));
}

}  // namespace
}  // namespace fcm::viz
