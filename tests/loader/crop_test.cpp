#include <cmath>
#include <tuple>

#include "fcm/loader/transform.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

TEST(RandomCrop, ABoxIsAFunctionOfSeedEpochAndSample) {
  const DataOptions options;
  const auto left_of = [&](uint64_t seed, uint64_t epoch, uint64_t sample) {
    const Crop crop = random_crop(375, 500, options, seed, epoch, sample);
    return crop.box.left * 1000 + crop.box.cols;
  };
  EXPECT_EQ(left_of(1, 2, 3), left_of(1, 2, 3));
  EXPECT_NE(left_of(1, 2, 3), left_of(2, 2, 3));
  EXPECT_NE(left_of(1, 2, 3), left_of(1, 3, 3));
  EXPECT_NE(left_of(1, 2, 3), left_of(1, 2, 4));
}

TEST(RandomCrop, StatisticsOfAreaRatioPlaceAndFlip) {
  // Boxes of at most half the area always fit, so no draw is repeated and the draws stay uniform.
  DataOptions narrow;
  narrow.crop_scale = {0.2, 0.5};
  const int n = 20000;
  double area = 0, log_ratio = 0, square = 0, place = 0, flips = 0;
  for (uint64_t sample = 0; sample < n; ++sample) {
    const Crop crop = random_crop(1000, 1000, narrow, 7, 0, sample);
    const auto rows = static_cast<double>(crop.box.rows);
    const auto cols = static_cast<double>(crop.box.cols);
    ASSERT_GE(crop.box.top, 0);
    ASSERT_LE(crop.box.top + crop.box.rows, 1000);
    ASSERT_LE(crop.box.left + crop.box.cols, 1000);
    const double share = rows * cols / 1e6, ratio = std::log(cols / rows);
    ASSERT_GT(share, 0.197);
    ASSERT_LT(share, 0.503);
    ASSERT_LT(std::abs(ratio), std::log(4.0 / 3.0) + 0.01);
    area += share, log_ratio += ratio, square += ratio * ratio, flips += crop.mirror;
    place += static_cast<double>(crop.box.left) / (1000.0 - cols);
  }
  // The draws are uniform. Bounds of means are five standard errors.
  EXPECT_NEAR(area / n, 0.35, 5 * 0.3 / std::sqrt(12.0 * n));
  EXPECT_NEAR(log_ratio / n, 0.0, 5 * 2 * std::log(4.0 / 3.0) / std::sqrt(12.0 * n));
  EXPECT_NEAR(std::sqrt(square / n), std::log(4.0 / 3.0) / std::sqrt(3.0), 0.003);
  EXPECT_NEAR(place / n, 0.5, 5 / std::sqrt(12.0 * n) + 0.001);
  EXPECT_NEAR(flips / n, 0.5, 5 * 0.5 / std::sqrt(static_cast<double>(n)));
}

TEST(RandomCrop, LongImagesFallBackToTheMiddle) {
  DataOptions options;
  options.crop_scale = {0.9, 1.0};
  // No box with at least 90 % of the area and a ratio of at most 4/3 fits in 10 x 100.
  const Crop wide = random_crop(10, 100, options, 1, 0, 0);
  EXPECT_EQ(wide.box.rows, 10);
  EXPECT_EQ(wide.box.cols, 13);  // 10 * 4/3
  EXPECT_EQ(wide.box.left, (100 - 13) / 2);
  const Crop tall = random_crop(100, 10, options, 1, 0, 0);
  EXPECT_EQ(tall.box.cols, 10);
  EXPECT_EQ(tall.box.rows, 13);
  EXPECT_EQ(tall.box.top, (100 - 13) / 2);
  const Crop pixel = random_crop(1, 1, options, 1, 0, 0);
  EXPECT_EQ(pixel.box.rows, 1);
  EXPECT_EQ(pixel.box.cols, 1);
}

TEST(RandomCrop, HalvesGoToTheEvenNeighbour) {
  DataOptions options;
  options.crop_scale = {0.9, 1.0};
  options.crop_ratio = {0.8, 1.25};
  EXPECT_EQ(random_crop(10, 100, options, 1, 0, 0).box.cols, 12);  // rounded from 12.5
  EXPECT_EQ(random_crop(100, 10, options, 1, 0, 0).box.rows, 12);
  EXPECT_EQ(random_crop(14, 100, options, 1, 0, 0).box.cols, 18);  // rounded from 17.5
}

TEST(CutCrop, IsRandomCropWhereThatFitsAtOnce) {
  DataOptions options;
  options.crop_scale = {0.08, 0.5};
  for (uint64_t sample = 0; sample < 100; ++sample) {
    const Crop first = random_crop(300, 300, options, 5, 1, sample);
    const Crop once = cut_crop(300, 300, options, 5, 1, sample);
    ASSERT_EQ(
        std::tie(once.box.top, once.box.left, once.box.rows, once.box.cols, once.mirror),
        std::tie(first.box.top, first.box.left, first.box.rows, first.box.cols, first.mirror));
  }
}

TEST(CutCrop, SidesThatAreTooLongAreCut) {
  DataOptions options;
  options.crop_scale = {0.9, 1.0};
  for (uint64_t sample = 0; sample < 100; ++sample) {
    const Crop crop = cut_crop(10, 100, options, 1, 0, sample);
    // Before its sides are limited to the image, the box has an area of 900 to 1000 and a ratio of
    // 3/4 to 4/3, so its sides are 26 to 37.
    ASSERT_EQ(crop.box.rows, 10);
    ASSERT_GE(crop.box.cols, 26);
    ASSERT_LE(crop.box.cols, 37);
    ASSERT_LE(crop.box.left + crop.box.cols, 100);
  }
}

TEST(RandomCrop, TheWholeAreaIsTheWholeImage) {
  DataOptions options;
  options.crop_scale = {1.0, 1.0};
  for (uint64_t sample = 0; sample < 300; ++sample) {
    const Crop crop = random_crop(32, 32, options, 3, 0, sample);
    ASSERT_EQ(crop.box.rows, 32);
    ASSERT_EQ(crop.box.cols, 32);
  }
}

TEST(RandomCrop, FlipZeroAndOne) {
  DataOptions options;
  for (const double flip : {0.0, 1.0}) {
    options.flip = flip;
    for (uint64_t sample = 0; sample < 50; ++sample) {
      EXPECT_EQ(random_crop(9, 9, options, 3, 0, sample).mirror, flip == 1.0);
    }
  }
}

TEST(Training, WholeImagesAreOnlyPaddedAndFlipped) {
  DataOptions options = test::small_options(32);
  options.channels = 1;
  options.pad = 2;
  options.crop_scale = {1.0, 1.0};
  options.flip = 0;
  const image::Image image = test::pattern(28, 28, 1);
  std::vector<uint8_t> out(32 * 32, 77);
  crop_for_training(image, options, 1, 0, 0, out.data());
  for (int64_t row = 0; row < 32; ++row) {
    for (int64_t col = 0; col < 32; ++col) {
      const bool border = row < 2 || col < 2 || row >= 30 || col >= 30;
      const uint8_t expected =
          border ? 0 : image.pixels[static_cast<size_t>((row - 2) * 28 + col - 2)];
      ASSERT_EQ(out[static_cast<size_t>(row * 32 + col)], expected) << row << " " << col;
    }
  }
}

// Decoding only the crop gives the same bytes as decoding the whole image, for a folder of images
// and for tar shards.
TEST(Training, ReadingOnlyTheCropGivesTheSameBytes) {
  const std::filesystem::path folder = test::data_folder() / "imagenet-sample";
  const std::filesystem::path shards = test::data_folder() / "shards";
  FCM_NEED_FOLDER(folder);
  FCM_NEED_FOLDER(shards);
  const DataOptions options = test::small_options(64);
  std::vector<uint8_t> expected(64 * 64 * 3), read(expected.size());
  for (const auto& data : {folder, shards}) {
    const auto dataset = open_dataset(data.string(), Split::kTrain);
    for (int64_t i = 0; i < dataset->size(); i += 9) {
      const auto sample = static_cast<uint64_t>(i);
      crop_for_training(dataset->get(i, 3), options, 1, 2, sample, expected.data());
      read_for_training(*dataset, i, options, 1, 2, sample, read.data());
      ASSERT_EQ(read, expected) << dataset->name(i);
      read_for_training(*dataset, i, options, 1, 3, sample, read.data());
      ASSERT_NE(read, expected) << "another epoch must have another crop";
    }
  }
}

TEST(Evaluation, TheRightSizeIsUntouched) {
  DataOptions options = test::small_options(32);
  options.pad = 2;
  const image::Image image = test::pattern(28, 28, 3);
  std::vector<uint8_t> padded(32 * 32 * 3), out(padded.size());
  options.flip = 0;
  options.crop_scale = {1.0, 1.0};
  crop_for_training(image, options, 1, 0, 0, padded.data());
  crop_for_evaluation(image, options, out.data());
  EXPECT_EQ(out, padded);
}

TEST(Evaluation, CoversTheTargetAndTakesTheMiddle) {
  // Pixel values increase with the column, so the result shows where the crop begins.
  image::Image ramp{20, 100, 1, {}};
  for (int row = 0; row < 20; ++row) {
    for (int col = 0; col < 100; ++col) ramp.pixels.push_back(static_cast<uint8_t>(2 * col));
  }
  DataOptions options = test::small_options(20);
  options.channels = 1;
  std::vector<uint8_t> out(400);
  crop_for_evaluation(ramp, options, out.data());
  for (size_t col = 0; col < 20; ++col) EXPECT_EQ(out[col], 2 * (40 + col));
  // The target has half the rows of the image, so the crop is the central 40 of 100 columns.
  options.image_size = {10, 20};
  std::vector<uint8_t> half(200);
  crop_for_evaluation(ramp, options, half.data());
  for (size_t col = 0; col < 20; ++col) EXPECT_NEAR(half[col], 2 * (30 + 2.0 * col + 0.5), 1.0);
}

TEST(Evaluation, ACentralShareIsThatOfThePublishedTransform) {
  // Like the upstream transform with 256 and 224: resize the shorter side to 32, then crop 28 x 28.
  const image::Image image = test::pattern(70, 90, 3);
  DataOptions options = test::small_options(28);
  std::vector<uint8_t> out(28 * 28 * 3), by_steps(out.size()), whole(32 * 41 * 3);
  crop_for_evaluation(image, options, out.data(), 28.0 / 32.0);
  image::crop_resize(image, {0, 0, 70, 90}, 32, 41, image::Interpolation::kBicubic, false,
                     whole.data());
  image::crop_resize({32, 41, 3, whole}, {2, 6, 28, 28}, 28, 28, image::Interpolation::kBicubic,
                     false, by_steps.data());
  EXPECT_EQ(out, by_steps);
  crop_for_evaluation(image, options, out.data());
  EXPECT_NE(out, by_steps);
}

TEST(Evaluation, HalfAColumnTooManyGoesToTheEvenNeighbour) {
  for (const auto& [cols, left] : {std::pair{9, 2}, std::pair{11, 4}}) {  // 2.5 and 3.5 columns
    const image::Image image = test::pattern(4, cols, 1);
    DataOptions options = test::small_options(4);
    options.channels = 1;
    std::vector<uint8_t> out(16);
    crop_for_evaluation(image, options, out.data());
    EXPECT_EQ(out[0], image.pixels[static_cast<size_t>(left)]) << cols;
  }
}

TEST(Evaluation, AbsurdlyLongImagesCostLittle) {
  // The whole resized image would have 224 x 4.5 million pixels.
  const image::Image line = test::pattern(1, 20000, 3);
  std::vector<uint8_t> out(224 * 224 * 3);
  crop_for_evaluation(line, test::small_options(224), out.data());
  EXPECT_GT(*std::max_element(out.begin(), out.end()), 0);
}

TEST(CheckOptions, ContradictionsAreRefused) {
  EXPECT_NO_THROW(check_options(DataOptions{}));
  std::vector<DataOptions> wrong(6);
  wrong[0].channels = 2;
  wrong[1].image_size = {224};
  wrong[2].crop_scale = {1.0, 0.2};
  wrong[3].crop_ratio = {0.75};
  wrong[4].interpolation = "nearest";
  wrong[5].pad = -1;
  for (const DataOptions& options : wrong) EXPECT_THROW(check_options(options), Error);
}

}  // namespace
}  // namespace fcm::loader
