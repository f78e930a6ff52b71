#include "fcm/loader/loader.h"

#include <chrono>

#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::FakeDataset;
using test::labelled;
using test::small_options;

std::vector<Batch> batches(const std::shared_ptr<const Dataset>& dataset,
                           const DataOptions& options, int64_t threads, int64_t first_step,
                           int64_t steps, uint64_t seed = 5, int64_t batch_size = 8) {
  Loader loader(labelled(dataset, options, batch_size, seed, threads, first_step));
  std::vector<Batch> all;
  for (int64_t step = 0; step < steps; ++step) all.push_back(loader.next());
  return all;
}

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.sample_ids, b.sample_ids);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_TRUE(a.pixels_BHWC == b.pixels_BHWC);
  ASSERT_EQ(a.bad.size(), b.bad.size());
  for (size_t i = 0; i < a.bad.size(); ++i) {
    EXPECT_EQ(a.bad[i].sample, b.bad[i].sample);
    EXPECT_EQ(a.bad[i].substitute, b.bad[i].substitute);
    EXPECT_EQ(a.bad[i].reason, b.bad[i].reason);
  }
}

DataOptions tolerant() {
  DataOptions options = small_options();
  options.max_bad_share = 1.0;
  options.max_bad_in_a_row = 1000;
  return options;
}

TEST(Loader, ThreadsAndStartingPlaceDoNotShow) {
  const auto dataset = std::make_shared<FakeDataset>(50, std::set<int64_t>{3, 11, 12, 40});
  const auto expected = batches(dataset, tolerant(), 1, 0, 20);
  for (const int64_t threads : {2, 7}) {
    const auto got = batches(dataset, tolerant(), threads, 0, 20);
    for (size_t step = 0; step < expected.size(); ++step) expect_same(got[step], expected[step]);
  }
  for (const int64_t first : {1, 5, 6, 13}) {  // 6 steps per epoch
    const auto got = batches(dataset, tolerant(), 2, first, 20 - first);
    for (size_t step = 0; step < got.size(); ++step) {
      expect_same(got[step], expected[step + static_cast<size_t>(first)]);
    }
  }
  const auto other_seed = batches(dataset, tolerant(), 2, 0, 1, 6);
  EXPECT_NE(other_seed[0].sample_ids, expected[0].sample_ids);
  EXPECT_FALSE(other_seed[0].pixels_BHWC == expected[0].pixels_BHWC);
}

TEST(Loader, RealPhotographsTheSameWithAnyThreads) {
  const auto folder = test::data_folder() / "imagenet-sample";
  FCM_NEED_FOLDER(folder);
  const std::shared_ptr<const Dataset> dataset = open_dataset(folder.string(), Split::kTrain);
  const auto one = batches(dataset, small_options(64), 1, 3, 2, 1, 12);
  const auto seven = batches(dataset, small_options(64), 7, 3, 2, 1, 12);
  for (size_t step = 0; step < one.size(); ++step) {
    expect_same(one[step], seven[step]);
    EXPECT_TRUE(one[step].bad.empty());
  }
}

TEST(Loader, EachSampleOnceAnEpoch) {
  const auto dataset = std::make_shared<FakeDataset>(50);
  Loader loader(labelled(dataset, small_options(), 8, 1, 2, 0));
  EXPECT_EQ(loader.steps_per_epoch(), 6);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t step = 0; step < 6; ++step) {
      const Batch batch = loader.next();
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_EQ(batch.sample_ids, samples_of_step(50, 8, 1, epoch * 6 + step));
      for (size_t i = 0; i < 8; ++i) {
        EXPECT_TRUE(seen.insert(batch.sample_ids[i]).second);
        EXPECT_EQ(batch.targets.labels()[i], 1000 + batch.sample_ids[i]);
      }
    }
    EXPECT_EQ(seen.size(), 48u);
  }
}

TEST(Loader, PixelsAreThoseOfCropAndFlip) {
  const auto dataset = std::make_shared<FakeDataset>(20);
  const DataOptions options = small_options();
  const Batch batch = batches(dataset, options, 2, 0, 1)[0];
  for (size_t i = 0; i < 8; ++i) {
    const int64_t sample = batch.sample_ids[i];
    const image::Image image = dataset->get(sample, 3);
    const Crop crop =
        random_crop(image.rows, image.cols, options, 5, 0, static_cast<uint64_t>(sample));
    std::vector<uint8_t> expected(16 * 16 * 3);
    image::crop_resize(image, crop.box, 16, 16, image::Interpolation::kBicubic, crop.mirror,
                       expected.data());
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(),
                   batch.pixels_BHWC.begin() + static_cast<ptrdiff_t>(i * expected.size())));
  }
}

TEST(Loader, BadImagesAreReplacedAndReported) {
  const std::set<int64_t> damaged{2, 9, 17, 33};
  const auto dataset = std::make_shared<FakeDataset>(40, damaged);
  std::set<int64_t> reported;
  for (const Batch& batch : batches(dataset, tolerant(), 2, 0, 5)) {
    size_t next_bad = 0;
    for (size_t i = 0; i < batch.sample_ids.size(); ++i) {
      const int64_t sample = batch.sample_ids[i];
      if (!damaged.contains(sample)) {
        EXPECT_EQ(batch.targets.labels()[i], 1000 + sample);
        continue;
      }
      ASSERT_LT(next_bad, batch.bad.size());
      const BadSample& bad = batch.bad[next_bad++];
      EXPECT_EQ(bad.sample, sample);
      EXPECT_FALSE(damaged.contains(bad.substitute));
      EXPECT_EQ(batch.targets.labels()[i], 1000 + bad.substitute);  // the label of the substitute
      EXPECT_EQ(bad.reason, fmt::format("fake {}: damaged", sample));
      reported.insert(sample);
    }
    EXPECT_EQ(next_bad, batch.bad.size());
  }
  EXPECT_EQ(reported, damaged);
}

// The number of steps before the loader throws because of bad images, and the error's message; 40
// and "" if 40 steps succeed.
std::pair<int64_t, std::string> until_it_gives_up(const DataOptions& options,
                                                  const std::set<int64_t>& bad, int64_t threads) {
  Loader loader(labelled(std::make_shared<FakeDataset>(200, bad), options, 10, 1, threads, 0));
  for (int64_t steps = 0; steps < 40; ++steps) {
    try {
      loader.next();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      return {steps, error.what()};
    }
  }
  return {40, ""};
}

TEST(Loader, TooManyBadImagesOfAnEpochEndTheRun) {
  DataOptions options = tolerant();
  options.max_bad_share = 0.02;  // 4 of 200
  const std::set<int64_t> four{10, 50, 90, 130};
  EXPECT_EQ(until_it_gives_up(options, four, 2).first, 40);  // two epochs, counted separately
  std::set<int64_t> five = four;
  five.insert(170);
  const auto [steps, message] = until_it_gives_up(options, five, 1);
  EXPECT_LT(steps, 20);
  EXPECT_NE(message.find("max_bad_share"), std::string::npos) << message;
  EXPECT_NE(message.find(": damaged"), std::string::npos) << message;
  EXPECT_EQ(until_it_gives_up(options, five, 7), (std::pair{steps, message}));
  options.max_bad_share = 0;
  EXPECT_LT(until_it_gives_up(options, {77}, 2).first, 20);
  options.max_bad_share = 0.001;  // of 200 images, rounded up to one
  EXPECT_EQ(until_it_gives_up(options, {77}, 2).first, 40);
}

TEST(Loader, BadImagesInARowEndTheRun) {
  DataOptions options = tolerant();
  options.max_bad_in_a_row = 4;
  const auto order = samples_of_step(200, 10, 1, 2);
  const auto next = samples_of_step(200, 10, 1, 3);
  // The run of bad images crosses the boundary of two batches.
  std::set<int64_t> run{order[8], order[9], next[0], next[1]};
  const auto [steps, message] = until_it_gives_up(options, run, 2);
  EXPECT_EQ(steps, 3);
  EXPECT_NE(message.find("4 in a row"), std::string::npos) << message;
  run.erase(order[9]);
  run.insert(order[7]);
  EXPECT_EQ(until_it_gives_up(options, run, 2).first, 40);
}

TEST(Loader, ASetOfOnlyBadImagesIsRefused) {
  std::set<int64_t> all;
  for (int64_t i = 0; i < 200; ++i) all.insert(i);
  const auto [steps, message] = until_it_gives_up(tolerant(), all, 2);
  EXPECT_EQ(steps, 0);
  EXPECT_NE(message.find("substitutes drawn for it"), std::string::npos) << message;
}

TEST(Loader, OtherErrorsArriveInNext) {
  const auto dataset = std::make_shared<FakeDataset>(20);
  dataset->breaks = samples_of_step(20, 5, 1, 1)[3];
  Loader loader(labelled(dataset, small_options(), 5, 1, 2, 0));
  EXPECT_NO_THROW(loader.next());
  EXPECT_THROW(loader.next(), std::runtime_error);
}

TEST(Loader, ASetSmallerThanABatchIsRefused) {
  const auto message = data_error(
      [] { Loader(labelled(std::make_shared<FakeDataset>(7), small_options(), 8, 1, 1, 0)); });
  EXPECT_NE(message.find("optim.batch_size"), std::string::npos) << message;
  EXPECT_NO_THROW(
      Loader(labelled(std::make_shared<FakeDataset>(8), small_options(), 8, 1, 1, 0)).next());
}

// A sample with a damaged label counts as bad only if labels are requested; otherwise labels are
// not read.
TEST(Loader, LabelsAreReadWhereTheyAreWantedAndNowhereElse) {
  const auto dataset = std::make_shared<FakeDataset>(20);
  dataset->bad_labels = {3, 5, 8};
  LoaderRequest request = labelled(dataset, tolerant(), 20, 1, 2, 0);
  const Batch with = Loader(request).next();
  std::set<int64_t> bad;
  for (const BadSample& one : with.bad) {
    bad.insert(one.sample);
    EXPECT_EQ(one.reason, fmt::format("fake {}: no label", one.sample));
  }
  EXPECT_EQ(bad, dataset->bad_labels);
  dataset->labels_read = 0;
  request.targets = TargetKind::kNone;
  {
    const Batch without = Loader(request).next();
    EXPECT_TRUE(without.bad.empty());
    EXPECT_EQ(without.sample_ids, with.sample_ids);
    EXPECT_THROW(without.targets.labels(), std::logic_error);
  }
  EXPECT_EQ(dataset->labels_read, 0);
}

TEST(Loader, MoreRanksThanImagesOfABatchAreRefused) {
  LoaderRequest request = labelled(std::make_shared<FakeDataset>(8), small_options(), 3, 1, 1, 0);
  request.slice = {.rank = 0, .ranks = 4};
  try {
    Loader(request).next();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("at most 3 processes"), std::string::npos);
  }
  request.slice.ranks = 3;
  EXPECT_EQ(Loader(request).next().batch, 1);
}

TEST(Loader, StopsAtOnceUnderLoad) {
  const auto dataset = std::make_shared<FakeDataset>(1000);
  dataset->delay = std::chrono::milliseconds(20);
  for (const int waiting : {0, 30}) {
    auto loader = std::make_unique<Loader>(labelled(dataset, small_options(), 500, 1, 2, 0));
    std::this_thread::sleep_for(std::chrono::milliseconds(waiting));
    const auto start = std::chrono::steady_clock::now();
    loader.reset();
    // A thread takes tasks of 32 images, which last 640 ms; it must stop after an image (20 ms).
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(400));
  }
}

TEST(Loader, RunsAheadByAFewBatchesOnly) {
  const auto dataset = std::make_shared<FakeDataset>(1000);
  Loader loader(labelled(dataset, small_options(), 10, 1, 2, 0));
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(dataset->reads, 40);  // the current batch and three prefetched ones
}

TEST(Loader, ManyShortLivesLeaveNothingBehind) {
  const auto dataset = std::make_shared<FakeDataset>(64);
  for (int life = 0; life < 100; ++life) {
    Loader loader(labelled(dataset, small_options(), 16, 1, 1 + life % 4, life));
    for (int step = 0; step < life % 3; ++step) loader.next();
  }
  EXPECT_EQ(dataset.use_count(), 1);
}

}  // namespace
}  // namespace fcm::loader
