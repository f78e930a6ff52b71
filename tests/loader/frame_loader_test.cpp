// Tests the loader's batches of frames: images of one size with instances.
#include <algorithm>
#include <map>

#include "fcm/loader/until_stopped.h"
#include "tests/loader/frame_support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::DrawnObjects;

LoaderRequest frames_request(std::shared_ptr<const Dataset> dataset, int64_t batch_size,
                             int64_t threads, int64_t first_step = 0) {
  const FrameOptions options = test::frame_options();
  return {.dataset = std::move(dataset),
          .data = options.data,
          .targets = TargetKind::kInstances,
          .batch_size = batch_size,
          .seed = 5,
          .threads = threads,
          .first_step = first_step,
          .jitter = options.jitter};
}

std::vector<Batch> frame_batches(const LoaderRequest& request, int64_t steps) {
  Loader loader(request);
  std::vector<Batch> all;
  for (int64_t step = 0; step < steps; ++step) all.push_back(loader.next());
  return all;
}

void expect_same_frames(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.sample_ids, b.sample_ids);
  EXPECT_EQ(a.sample_epochs, b.sample_epochs);
  EXPECT_TRUE(a.targets == b.targets);
  EXPECT_TRUE(a.pixels_BHWC == b.pixels_BHWC);
  EXPECT_EQ(a.bad.size(), b.bad.size());
}

TEST(FrameLoader, ThreadsAndStartingPlaceDoNotShow) {
  const auto dataset =
      std::make_shared<DrawnObjects>(30, std::set<int64_t>{3, 11, 12}, std::set<int64_t>{9});
  const auto expected = frame_batches(frames_request(dataset, 8, 1), 9);
  for (const int64_t threads : {2, 7}) {
    const auto got = frame_batches(frames_request(dataset, 8, threads), 9);
    for (size_t step = 0; step < 9; ++step) expect_same_frames(got[step], expected[step]);
  }
  for (const int64_t first : {1, 4}) {
    const auto got = frame_batches(frames_request(dataset, 8, 2, first), 9 - first);
    for (size_t step = 0; step < got.size(); ++step) {
      expect_same_frames(got[step], expected[step + static_cast<size_t>(first)]);
    }
  }
  LoaderRequest other = frames_request(dataset, 8, 2);
  other.seed = 6;
  EXPECT_FALSE(frame_batches(other, 1)[0].targets == expected[0].targets);
}

TEST(FrameLoader, RanksTogetherHaveTheBatchOfOne) {
  const auto dataset = std::make_shared<DrawnObjects>(20);
  const auto whole = frame_batches(frames_request(dataset, 7, 2), 5);
  for (size_t step = 0; step < 5; ++step) {
    Batch joined;
    std::vector<Instances> instances;
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    for (int64_t rank = 0; rank < 3; ++rank) {
      LoaderRequest request = frames_request(dataset, 7, 2, static_cast<int64_t>(step));
      request.slice = {rank, 3};
      const Batch part = frame_batches(request, 1)[0];
      EXPECT_EQ(part.global_batch, 7);
      append(joined.pixels_BHWC, part.pixels_BHWC);
      append(joined.sample_ids, part.sample_ids);
      append(joined.sample_epochs, part.sample_epochs);
      append(instances, part.targets.instances());
    }
    EXPECT_TRUE(joined.pixels_BHWC == whole[step].pixels_BHWC);
    EXPECT_EQ(joined.sample_ids, whole[step].sample_ids);
    EXPECT_EQ(joined.sample_epochs, whole[step].sample_epochs);
    EXPECT_EQ(instances, whole[step].targets.instances());
  }
}

TEST(FrameLoader, FramesAreThoseOfTheirDraws) {
  const auto dataset = std::make_shared<DrawnObjects>(20);
  const LoaderRequest request = frames_request(dataset, 6, 2);
  std::map<int64_t, std::set<int64_t>> times;
  for (const Batch& batch : frame_batches(request, 12)) {
    ASSERT_EQ(batch.targets.instances().size(), 6u);
    EXPECT_TRUE(batch.extents.empty());
    EXPECT_EQ(batch.rows, 48);
    for (size_t i = 0; i < 6; ++i) {
      const int64_t sample = batch.sample_ids[i];
      times[sample].insert(batch.sample_epochs[i]);
      const FrameOptions options = test::frame_options();
      std::vector<uint8_t> pixels(48 * 48 * 3);
      Instances truth;
      read_frame_for_training(*dataset, sample, options,
                              draw_frame(options, 5, static_cast<uint64_t>(batch.sample_epochs[i]),
                                         static_cast<uint64_t>(sample)),
                              pixels.data(), truth);
      EXPECT_TRUE(std::ranges::equal(
          pixels, std::span(batch.pixels_BHWC).subspan(i * pixels.size(), pixels.size())));
      EXPECT_EQ(batch.targets.instances()[i], truth);
    }
  }
  EXPECT_EQ(times.size(), 20u);
  EXPECT_GT(times.begin()->second.size(), 1u);
}

TEST(FrameLoader, BadImagesAreReplacedByOnesOfTheirOrientation) {
  const auto dataset =
      std::make_shared<DrawnObjects>(24, std::set<int64_t>{1, 2, 6}, std::set<int64_t>{0, 4});
  int64_t bad = 0;
  for (const Batch& batch : frame_batches(frames_request(dataset, 6, 2), 8)) {
    for (const BadSample& one : batch.bad) {
      ++bad;
      EXPECT_TRUE(one.sample == 1 || one.sample == 2 || one.sample == 6);
      EXPECT_EQ(dataset->image_record(one.substitute).is_wide(),
                dataset->image_record(one.sample).is_wide());
      EXPECT_NE(one.substitute, 0);
      EXPECT_NE(one.substitute, 4);
      const auto place = std::ranges::find(batch.sample_ids, one.sample) - batch.sample_ids.begin();
      EXPECT_EQ(batch.targets.instances()[static_cast<size_t>(place)].image, 1000 + one.substitute);
    }
  }
  EXPECT_GT(bad, 3);
}

TEST(FrameLoader, EpochsCountImagesWithObjects) {
  const auto dataset =
      std::make_shared<DrawnObjects>(24, std::set<int64_t>(), std::set<int64_t>{0, 4});
  Loader loader(frames_request(dataset, 5, 2));
  EXPECT_EQ(loader.steps_per_epoch(), 4);  // 22 / 5, rounded down
  for (int64_t step = 0; step < 9; ++step) EXPECT_EQ(loader.next().epoch, step / 4);
  const auto few = std::make_shared<DrawnObjects>(24, std::set<int64_t>(),
                                                  std::set<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_NE(data_error([&] {
              Loader{frames_request(few, 16, 1)};
            }).find("14 images with an object to learn from"),
            std::string::npos);
}

TEST(FrameLoader, InstancesGoWithJitterAlone) {
  const auto dataset = std::make_shared<DrawnObjects>(8);
  LoaderRequest request = frames_request(dataset, 4, 1);
  request.targets = TargetKind::kNone;
  EXPECT_THROW(Loader{request}, std::logic_error);
  request = frames_request(dataset, 4, 1);
  request.jitter.reset();
  EXPECT_THROW(Loader{request}, std::logic_error);
  request = frames_request(dataset, 4, 1);
  request.augment.color_jitter = 0.4;
  EXPECT_THROW(Loader{request}, std::logic_error);
  request = frames_request(dataset, 4, 1);
  request.data.channels = 1;
  EXPECT_NE(test::error_of(ExitCode::kUsage, [&] { Loader{request}; }), "");
  request = frames_request(open_dataset("synthetic", Split::kTrain), 4, 1);
  EXPECT_NE(data_error([&] { Loader{request}; }).find("no annotated objects"), std::string::npos);
  EvalLoaderRequest testing;
  testing.dataset = dataset;
  testing.targets = TargetKind::kInstances;
  testing.batch_size = 1;
  EXPECT_THROW(EvalLoader{testing}, std::logic_error);
}

TEST(FrameLoader, AWrappedSetHasTheObjectsOfTheWhole) {
  const auto dataset = std::make_shared<DrawnObjects>(8);
  const std::atomic<bool> stop = false;
  const auto wrapped = until_stopped(dataset, &stop);
  EXPECT_TRUE(wrapped->has_instances());
  EXPECT_EQ(wrapped->instances(5), dataset->instances(5));
  EXPECT_EQ(wrapped->image_record(5).image, 1005);
  EXPECT_EQ(&wrapped->instance_classes(), &dataset->instance_classes());
}

}  // namespace
}  // namespace fcm::loader
