#include "fcm/loader/transform.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::FakeDataset;
using test::small_options;

EvalLoaderRequest request_of(std::shared_ptr<const Dataset> dataset, const DataOptions& options,
                             int64_t batch_size, int64_t threads) {
  return {.dataset = std::move(dataset),
          .data = options,
          .targets = TargetKind::kLabel,
          .batch_size = batch_size,
          .threads = threads};
}

TEST(EvalLoader, ImagesInOrderTheLastBatchShorter) {
  const auto dataset = std::make_shared<FakeDataset>(42);
  for (const int64_t threads : {1, 2, 7}) {
    EvalLoaderRequest request = request_of(dataset, small_options(), 8, threads);
    request.slice = {.rank = 1, .ranks = 2};
    EvalLoader loader(request);
    Batch batch;
    int64_t expected = 21;
    std::vector<int64_t> sizes;
    while (loader.next(batch)) {
      sizes.push_back(batch.batch);
      ASSERT_EQ(batch.pixels_BHWC.size(), static_cast<size_t>(batch.batch) * 16 * 16 * 3);
      for (size_t i = 0; i < batch.sample_ids.size(); ++i, ++expected) {
        EXPECT_EQ(batch.sample_ids[i], expected);
        EXPECT_EQ(batch.targets.labels()[i], 1000 + expected);
        std::vector<uint8_t> pixels(16 * 16 * 3);
        crop_for_evaluation(dataset->get(expected, 3), small_options(), pixels.data());
        EXPECT_TRUE(
            std::equal(pixels.begin(), pixels.end(),
                       batch.pixels_BHWC.begin() + static_cast<ptrdiff_t>(i * pixels.size())));
      }
    }
    EXPECT_EQ(expected, 42);
    EXPECT_EQ(sizes, (std::vector<int64_t>{8, 8, 5}));
    EXPECT_FALSE(loader.next(batch));
  }
}

TEST(EvalLoader, BadImagesAreLeftOutAndReported) {
  DataOptions options = small_options();
  options.max_bad_share = 1;
  const auto dataset = std::make_shared<FakeDataset>(20, std::set<int64_t>{1, 4, 5, 6, 7, 18});
  EvalLoader loader(request_of(dataset, options, 4, 2));
  Batch batch;
  std::vector<int64_t> seen, reported;
  while (loader.next(batch)) {
    EXPECT_EQ(batch.batch, static_cast<int64_t>(batch.sample_ids.size()));
    EXPECT_EQ(batch.pixels_BHWC.size(), batch.sample_ids.size() * 16 * 16 * 3);
    for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
      seen.push_back(batch.sample_ids[i]);
      EXPECT_EQ(batch.targets.labels()[i], 1000 + batch.sample_ids[i]);
      std::vector<uint8_t> pixels(16 * 16 * 3);
      crop_for_evaluation(dataset->get(seen.back(), 3), options, pixels.data());
      EXPECT_TRUE(
          std::equal(pixels.begin(), pixels.end(),
                     batch.pixels_BHWC.begin() + static_cast<ptrdiff_t>(i * pixels.size())));
    }
    for (const BadSample& bad : batch.bad) reported.push_back(bad.sample);
  }
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19}));
  EXPECT_EQ(reported, (std::vector<int64_t>{1, 4, 5, 6, 7, 18}));
}

TEST(EvalLoader, TooManyBadImagesAreAnError) {
  DataOptions options = small_options();
  options.max_bad_share = 0.05;
  EvalLoader loader(
      request_of(std::make_shared<FakeDataset>(20, std::set<int64_t>{1, 2}), options, 4, 2));
  Batch batch;
  EXPECT_NE(test::data_error([&] {
              while (loader.next(batch)) {
              }
            }).find("fake 1"),
            std::string::npos);
}

TEST(EvalLoader, NothingAsked) {
  EvalLoaderRequest request = request_of(std::make_shared<FakeDataset>(5), small_options(), 4, 2);
  request.slice = {.rank = 0, .ranks = 7};
  Batch batch;
  EXPECT_FALSE(EvalLoader(request).next(batch));
  request.slice.rank = 7;
  EXPECT_THROW(EvalLoader{request}, std::logic_error);
}

TEST(EvalLoader, LabelsAreReadWhereTheyAreWantedAndNowhereElse) {
  const auto dataset = std::make_shared<FakeDataset>(6);
  dataset->bad_labels = {1, 4};
  DataOptions options = small_options();
  options.max_bad_share = 1;
  EvalLoaderRequest request = request_of(dataset, options, 6, 2);
  Batch batch;
  ASSERT_TRUE(EvalLoader(request).next(batch));
  EXPECT_EQ(batch.sample_ids, (std::vector<int64_t>{0, 2, 3, 5}));
  EXPECT_EQ(batch.targets.labels(), (std::vector<int64_t>{1000, 1002, 1003, 1005}));
  ASSERT_EQ(batch.bad.size(), 2u);
  EXPECT_EQ(batch.bad[1].reason, "fake 4: no label");
  dataset->labels_read = 0;
  request.targets = TargetKind::kNone;
  ASSERT_TRUE(EvalLoader(request).next(batch));
  EXPECT_EQ(batch.batch, 6);
  EXPECT_TRUE(batch.bad.empty());
  EXPECT_THROW(batch.targets.labels(), std::logic_error);
  EXPECT_EQ(dataset->labels_read, 0);
}

}  // namespace
}  // namespace fcm::loader
