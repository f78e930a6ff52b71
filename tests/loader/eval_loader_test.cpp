#include "fcm/loader/transform.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::FakeDataset;
using test::small_options;

TEST(EvalLoader, PicturesInOrderTheLastBatchShorter) {
  const auto dataset = std::make_shared<FakeDataset>(30);
  for (const int64_t threads : {1, 2, 7}) {
    EvalLoader loader(dataset, small_options(), 8, 3, 21, threads);
    Batch batch;
    int64_t expected = 3;
    std::vector<int64_t> sizes;
    while (loader.next(batch)) {
      sizes.push_back(batch.batch);
      ASSERT_EQ(batch.pixels_BHWC.size(), static_cast<size_t>(batch.batch) * 16 * 16 * 3);
      for (size_t i = 0; i < batch.sample_ids.size(); ++i, ++expected) {
        EXPECT_EQ(batch.sample_ids[i], expected);
        EXPECT_EQ(batch.labels[i], 1000 + expected);
        std::vector<uint8_t> pixels(16 * 16 * 3);
        view_for_evaluation(dataset->get(expected, 3), small_options(), pixels.data());
        EXPECT_TRUE(
            std::equal(pixels.begin(), pixels.end(),
                       batch.pixels_BHWC.begin() + static_cast<ptrdiff_t>(i * pixels.size())));
      }
    }
    EXPECT_EQ(expected, 24);
    EXPECT_EQ(sizes, (std::vector<int64_t>{8, 8, 5}));
    EXPECT_FALSE(loader.next(batch));
  }
}

TEST(EvalLoader, BadPicturesAreLeftOutAndReported) {
  DataOptions options = small_options();
  options.max_bad_share = 1;
  const auto dataset = std::make_shared<FakeDataset>(20, std::set<int64_t>{1, 4, 5, 6, 7, 18});
  EvalLoader loader(dataset, options, 4, 0, 20, 2);
  Batch batch;
  std::vector<int64_t> seen, reported;
  while (loader.next(batch)) {
    EXPECT_EQ(batch.batch, static_cast<int64_t>(batch.sample_ids.size()));
    EXPECT_EQ(batch.pixels_BHWC.size(), batch.sample_ids.size() * 16 * 16 * 3);
    for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
      seen.push_back(batch.sample_ids[i]);
      EXPECT_EQ(batch.labels[i], 1000 + batch.sample_ids[i]);
      std::vector<uint8_t> pixels(16 * 16 * 3);
      view_for_evaluation(dataset->get(seen.back(), 3), options, pixels.data());
      EXPECT_TRUE(
          std::equal(pixels.begin(), pixels.end(),
                     batch.pixels_BHWC.begin() + static_cast<ptrdiff_t>(i * pixels.size())));
    }
    for (const BadSample& bad : batch.bad) reported.push_back(bad.sample);
  }
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19}));
  EXPECT_EQ(reported, (std::vector<int64_t>{1, 4, 5, 6, 7, 18}));
}

TEST(EvalLoader, TooManyBadPicturesAreAnError) {
  DataOptions options = small_options();
  options.max_bad_share = 0.05;
  EvalLoader loader(std::make_shared<FakeDataset>(20, std::set<int64_t>{1, 2}), options, 4, 0, 20,
                    2);
  Batch batch;
  EXPECT_NE(test::data_error([&] {
              while (loader.next(batch)) {
              }
            }).find("fake 1"),
            std::string::npos);
}

TEST(EvalLoader, NothingAsked) {
  EvalLoader loader(std::make_shared<FakeDataset>(5), small_options(), 4, 5, 0, 2);
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
  EXPECT_THROW(EvalLoader(std::make_shared<FakeDataset>(5), small_options(), 4, 3, 3, 1),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::loader
