#include "fcm/loader/augment.h"

#include <map>

#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

TEST(RandAugment, ReadsWhatTimmWrites) {
  const RandAugment published = parse_rand_augment("rand-m9-mstd0.5-inc1");
  EXPECT_EQ(published.magnitude, 9);
  EXPECT_EQ(published.stddev, 0.5);
  EXPECT_EQ(published.layers, 2);
  const RandAugment other = parse_rand_augment("rand-m7.5-n3-inc1");
  EXPECT_EQ(other.magnitude, 7.5);
  EXPECT_EQ(other.stddev, 0);
  EXPECT_EQ(other.layers, 3);
}

TEST(RandAugment, RefusesWhatItDoesNotKnow) {
  for (const char* text :
       {"", "auto-m9-inc1", "rand-m9", "rand-m11-inc1", "rand-m9-inc0", "rand-mstdx-inc1",
        "rand-m9-w0-inc1", "rand-n0-inc1", "rand-n2.5-inc1", "rand-mnan-inc1", "rand-m9-inc1-",
        "rand-mstdinf-inc1", "rand-m9 -inc1"}) {
    try {
      parse_rand_augment(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << text;
      EXPECT_NE(std::string(error.what()).find("rand-m9-mstd0.5-inc1"), std::string::npos);
    }
  }
}

std::vector<uint8_t> narrow_image() {
  std::vector<uint8_t> pixels = test::pattern(16, 16, 3).pixels;
  for (uint8_t& value : pixels) value = static_cast<uint8_t>(60 + value / 3);
  return pixels;
}

std::vector<uint8_t> augmented(const AugmentOptions& options, uint64_t seed, uint64_t epoch,
                               uint64_t sample) {
  std::vector<uint8_t> pixels = narrow_image();
  Augmenter(test::small_options(), options).apply(pixels.data(), seed, epoch, sample);
  return pixels;
}

AugmentOptions published() {
  AugmentOptions options;
  options.rand_augment = "rand-m9-mstd0.5-inc1";
  return options;
}

TEST(Augmenter, WithoutOptionsNothingHappens) { EXPECT_EQ(augmented({}, 1, 2, 3), narrow_image()); }

TEST(Augmenter, TwoLayersEachAppliedHalfOfTheTime) {
  constexpr int kImages = 2000;
  const std::vector<uint8_t> before = narrow_image();
  int untouched = 0, with_fill = 0;
  for (uint64_t sample = 0; sample < kImages; ++sample) {
    const std::vector<uint8_t> after = augmented(published(), 1, 0, sample);
    untouched += after == before;
    // After rotation, shear or translation at least one corner has the fill colour.
    for (const size_t corner : {size_t{0}, size_t{15}, size_t{240}, size_t{255}}) {
      if (after[corner * 3] != 124 || after[corner * 3 + 1] != 116) continue;
      ++with_fill;
      break;
    }
  }
  // Neither layer is applied to a quarter of the images. Every operation changes this image.
  EXPECT_NEAR(static_cast<double>(untouched) / kImages, 0.25, 0.03);
  // Images to which at least one of the five geometric operations was applied. The bounds are wide,
  // because a later operation may change the fill colour.
  EXPECT_GT(with_fill, kImages * 0.15);
  EXPECT_LT(with_fill, kImages * 0.33);
}

TEST(Augmenter, DependsOnEveryPartOfItsKey) {
  // Strengths are continuous random numbers. So only equal random numbers give equal results for
  // several consecutive samples.
  const auto several = [](const AugmentOptions& options, uint64_t seed, uint64_t epoch,
                          uint64_t first) {
    std::vector<std::vector<uint8_t>> images;
    for (uint64_t i = 0; i < 8; ++i) images.push_back(augmented(options, seed, epoch, first + i));
    return images;
  };
  AugmentOptions jitter;
  jitter.color_jitter = 0.4;
  for (const AugmentOptions& options : {published(), jitter}) {
    const auto reference = several(options, 1, 2, 30);
    EXPECT_EQ(several(options, 1, 2, 30), reference);
    EXPECT_NE(several(options, 2, 2, 30), reference);
    EXPECT_NE(several(options, 1, 3, 30), reference);
    EXPECT_NE(several(options, 1, 2, 31), reference);
  }
}

TEST(Augmenter, ColourJitterGivesWayToRandAugment) {
  AugmentOptions both = published();
  both.color_jitter = 0.4;
  for (uint64_t sample = 0; sample < 8; ++sample) {
    EXPECT_EQ(augmented(both, 1, 0, sample), augmented(published(), 1, 0, sample));
  }
}

TEST(Augmenter, BatchesDoNotDependOnThreads) {
  const auto dataset = std::make_shared<test::FakeDataset>(24);
  const auto pixels = [&](int64_t threads, const AugmentOptions& augment) {
    LoaderRequest request = test::labelled(dataset, test::small_options(), 8, 1, threads, 0);
    request.augment = augment;
    Loader loader(request);
    std::vector<uint8_t> all;
    for (int step = 0; step < 4; ++step) {
      const Batch batch = loader.next();
      all.insert(all.end(), batch.pixels_BHWC.begin(), batch.pixels_BHWC.end());
    }
    return all;
  };
  EXPECT_EQ(pixels(1, published()), pixels(3, published()));
  EXPECT_NE(pixels(1, published()), pixels(1, {}));
}

TEST(Augmenter, AWrongTextIsRefusedWhenTheLoaderIsMade) {
  LoaderRequest wrong =
      test::labelled(std::make_shared<test::FakeDataset>(8), test::small_options(), 8, 1, 1, 0);
  wrong.augment.rand_augment = "rand";
  EXPECT_THROW(Loader{wrong}, Error);
}

}  // namespace
}  // namespace fcm::loader
