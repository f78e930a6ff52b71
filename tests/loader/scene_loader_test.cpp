// Tests the loader's batches of scenes (images with class maps), and scenes for evaluation.
#include <algorithm>

#include "fcm/image/opencv_resize.h"
#include "fcm/loader/scene_pixels.h"
#include "fcm/loader/scene_testing.h"
#include "tests/loader/scene_support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::DrawnScenes;
using test::scenes_request;

std::vector<Batch> scene_batches(const LoaderRequest& request, int64_t steps) {
  Loader loader(request);
  std::vector<Batch> all;
  for (int64_t step = 0; step < steps; ++step) all.push_back(loader.next());
  return all;
}

void expect_same_scenes(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.sample_ids, b.sample_ids);
  EXPECT_TRUE(a.targets == b.targets);
  EXPECT_EQ(a.extents, b.extents);
  EXPECT_TRUE(a.pixels_BHWC == b.pixels_BHWC);
  EXPECT_EQ(a.bad.size(), b.bad.size());
}

TEST(SceneLoader, ThreadsAndStartingPlaceDoNotShow) {
  const auto dataset = std::make_shared<DrawnScenes>(30, std::set<int64_t>{3, 11, 12});
  const auto expected = scene_batches(scenes_request(dataset, 8, 1), 9);
  for (const int64_t threads : {2, 7}) {
    const auto got = scene_batches(scenes_request(dataset, 8, threads), 9);
    for (size_t step = 0; step < 9; ++step) expect_same_scenes(got[step], expected[step]);
  }
  for (const int64_t first : {1, 4}) {  // 3 steps per epoch
    const auto got = scene_batches(scenes_request(dataset, 8, 2, first), 9 - first);
    for (size_t step = 0; step < got.size(); ++step) {
      expect_same_scenes(got[step], expected[step + static_cast<size_t>(first)]);
    }
  }
  LoaderRequest other = scenes_request(dataset, 8, 2);
  other.seed = 6;
  EXPECT_FALSE(scene_batches(other, 1)[0].targets == expected[0].targets);
}

TEST(SceneLoader, RanksTogetherHaveTheBatchOfOne) {
  const auto dataset = std::make_shared<DrawnScenes>(20);
  const Batch whole = scene_batches(scenes_request(dataset, 7, 2), 1)[0];
  Batch joined;
  std::vector<uint8_t> classes;
  for (int64_t rank = 0; rank < 3; ++rank) {
    LoaderRequest request = scenes_request(dataset, 7, 2);
    request.slice = {rank, 3};
    const Batch part = scene_batches(request, 1)[0];
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(joined.pixels_BHWC, part.pixels_BHWC);
    append(joined.extents, part.extents);
    append(classes, part.targets.maps().classes_BHW);
  }
  EXPECT_TRUE(joined.pixels_BHWC == whole.pixels_BHWC);
  EXPECT_EQ(joined.extents, whole.extents);
  EXPECT_TRUE(classes == whole.targets.maps().classes_BHW);
}

TEST(SceneLoader, BadMapsAreReplacedWithTheirImages) {
  const auto dataset = std::make_shared<DrawnScenes>(8, std::set<int64_t>{2});
  dataset->maps[5] = test::blocks(3, 3, 1);  // another size
  dataset->maps[6] = test::blocks(dataset->extent_of(6).rows, dataset->extent_of(6).cols, 1, 9);
  const Batch batch = scene_batches(scenes_request(dataset, 8, 2), 1)[0];
  std::set<int64_t> bad;
  for (const BadSample& one : batch.bad) {
    bad.insert(one.sample);
    EXPECT_TRUE(one.substitute >= 0 && one.substitute != 2 && one.substitute != 5 &&
                one.substitute != 6)
        << one.substitute;
    EXPECT_NE(one.reason.find(fmt::format("scene {}", one.sample)), std::string::npos);
  }
  EXPECT_EQ(bad, (std::set<int64_t>{2, 5, 6}));
}

TEST(SceneLoader, PaddingIsIgnoredBlackAndZeroAsNumbers) {
  const auto dataset = std::make_shared<DrawnScenes>(16);
  LoaderRequest request = scenes_request(dataset, 16, 2);
  const Batch batch = scene_batches(request, 1)[0];
  ASSERT_EQ(batch.extents.size(), 16u);
  EXPECT_EQ(batch.targets.maps().rows, 32);
  EXPECT_EQ(batch.targets.maps().cols, 40);
  const std::vector<float> pixels = normalised_scene_pixels(batch, request.data);
  bool has_padding = false, has_none = false;
  for (int64_t i = 0; i < 16 * 32 * 40; ++i) {
    const Extent extent = batch.extents[static_cast<size_t>(i / (32 * 40))];
    const bool inside = i / 40 % 32 < extent.rows && i % 40 < extent.cols;
    (inside ? has_none : has_padding) = true;
    for (size_t c = 0; c < 3; ++c) {
      const size_t at = static_cast<size_t>(i) * 3 + c;
      const float mean = static_cast<float>(255 * request.data.mean[c]);
      const double inverse = 1 / double{static_cast<float>(255 * request.data.stddev[c])};
      const float centred = static_cast<float>(batch.pixels_BHWC[at]) - mean;
      ASSERT_EQ(pixels[at], inside ? static_cast<float>(centred * inverse) : 0.0F);
    }
    if (inside) continue;
    EXPECT_EQ(batch.targets.maps().classes_BHW[static_cast<size_t>(i)], kIgnored);
    EXPECT_EQ(batch.pixels_BHWC[static_cast<size_t>(i) * 3], 0);
  }
  EXPECT_TRUE(has_padding && has_none);
  Batch of_labels = batch;
  of_labels.extents.clear();
  EXPECT_THROW(normalised_scene_pixels(of_labels, request.data), std::logic_error);
}

TEST(SceneLoader, MapsGoWithAPipelineAlone) {
  const auto dataset = std::make_shared<DrawnScenes>(8);
  LoaderRequest request = scenes_request(dataset, 4, 1);
  request.targets = TargetKind::kNone;
  EXPECT_THROW(Loader{request}, std::logic_error);
  request = scenes_request(dataset, 4, 1);
  request.pipeline.reset();
  EXPECT_THROW(Loader{request}, std::logic_error);
  request = scenes_request(dataset, 4, 1);
  request.classes = 0;
  EXPECT_NE(test::error_of(ExitCode::kUsage, [&] { Loader{request}; }), "");
  EvalLoaderRequest testing;
  testing.dataset = dataset;
  testing.targets = TargetKind::kMap;
  testing.batch_size = 1;
  EXPECT_THROW(EvalLoader{testing}, std::logic_error);
}

SceneRequest testing_request(std::shared_ptr<const Dataset> dataset, int64_t threads) {
  const SceneOptions options = test::scene_options();
  return {.dataset = std::move(dataset),
          .data = options.data,
          .pipeline = options.pipeline,
          .classes = options.classes,
          .threads = threads};
}

TEST(ForEachScene, WholeImagesResizedAndMapsAsTheyAre) {
  const auto dataset = std::make_shared<DrawnScenes>(21, std::set<int64_t>{4});
  dataset->extents[7] = {20, 150};  // sides differ by a factor of more than 4
  dataset->maps[9] = test::blocks(9, 9, 1);
  for (const int64_t threads : {1, 2, 5}) {
    std::vector<int64_t> seen;
    const auto bad = for_each_scene(testing_request(dataset, threads), [&](TestScene&& scene) {
      seen.push_back(scene.index);
      const Extent was = dataset->extent_of(scene.index);
      const std::vector<int64_t> scale{192, 48};
      const Extent size = fitted_size(was, scale);
      EXPECT_EQ((Extent{scene.image.rows, scene.image.cols}), size);
      EXPECT_TRUE(scene.image.pixels ==
                  image::resize_linear(dataset->get(scene.index, 3), size.rows, size.cols).pixels);
      ClassMap map = dataset->class_map(scene.index);
      reduce_classes(map, test::scene_options(), "");
      EXPECT_EQ((Extent{scene.map.rows, scene.map.cols}), was);
      EXPECT_TRUE(scene.map.classes == map.classes);
    });
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < 21; ++i) {
      if (i != 4 && i != 9) expected.push_back(i);
    }
    EXPECT_EQ(seen, expected);
    ASSERT_EQ(bad.size(), 2u);
    EXPECT_EQ(bad[0].sample, 4);
    EXPECT_EQ(bad[0].reason, "scene 4: damaged");
    EXPECT_EQ(bad[1].sample, 9);
  }
}

TEST(ForEachScene, RanksSeeEveryImageOnce) {
  const auto dataset = std::make_shared<DrawnScenes>(11);
  std::vector<int64_t> seen;
  for (int64_t rank = 0; rank < 3; ++rank) {
    SceneRequest request = testing_request(dataset, 2);
    request.slice = {rank, 3};
    for_each_scene(request, [&](TestScene&& scene) { seen.push_back(scene.index); });
  }
  std::vector<int64_t> all(11);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  EXPECT_EQ(seen, all);
}

TEST(ForEachScene, TooManyBadImagesEndIt) {
  const auto dataset = std::make_shared<DrawnScenes>(20, std::set<int64_t>{3, 9, 15});
  SceneRequest request = testing_request(dataset, 2);
  request.data.max_bad_share = 0.1;  // 2 of 20
  int64_t last = -1;
  EXPECT_NE(data_error([&] {
              for_each_scene(request, [&](TestScene&& scene) { last = scene.index; });
            }).find("scene 3: damaged"),
            std::string::npos);
  EXPECT_EQ(last, 14);
}

TEST(ForEachScene, AnImageAloneIsResizedAlike) {
  const image::Image image = test::pattern(60, 80, 3);
  const PipelineOptions pipeline = test::scene_options().pipeline;
  const image::Image got = scene_for_testing(image, pipeline);
  EXPECT_EQ(got.rows, 48);
  EXPECT_EQ(got.cols, 64);
  const std::vector<float> numbers = normalised_scene_pixels(got, test::scene_options().data);
  EXPECT_EQ(numbers.size(), got.pixels.size());
  const auto mean = static_cast<float>(255 * 0.485);
  const double inverse = 1 / double{static_cast<float>(255 * 0.229)};
  EXPECT_EQ(numbers[0], static_cast<float>((static_cast<float>(got.pixels[0]) - mean) * inverse));
}

// Batches from JPEG files, of which only the crop is decoded, equal those of whole decoded images.
TEST(SceneLoader, RealScenesAreThoseOfWholeImages) {
  const auto folder = test::data_folder() / "ade-sample";
  FCM_NEED_FOLDER(folder);
  const std::shared_ptr<const Dataset> dataset = open_dataset(folder.string(), Split::kTrain);
  LoaderRequest request = scenes_request(dataset, 16, 2);
  request.classes = 150;
  request.data.image_size = {128, 128};
  request.pipeline->scale = {1024, 256};
  const Batch batch = scene_batches(request, 1)[0];
  ASSERT_TRUE(batch.bad.empty());

  class Decoded final : public Dataset {  // get_section decodes whole images
   public:
    explicit Decoded(std::shared_ptr<const Dataset> whole) : whole_(std::move(whole)) {}
    int64_t size() const override { return whole_->size(); }
    image::Image get(int64_t index, int64_t channels) const override {
      return whole_->get(index, channels);
    }
    int64_t label(int64_t index) const override { return whole_->label(index); }
    ClassMap class_map(int64_t index) const override { return whole_->class_map(index); }
    std::string name(int64_t index) const override { return whole_->name(index); }
    const std::vector<std::string>& classes() const override { return whole_->classes(); }

   private:
    std::shared_ptr<const Dataset> whole_;
  };
  request.dataset = std::make_shared<Decoded>(dataset);
  expect_same_scenes(scene_batches(request, 1)[0], batch);
}

}  // namespace
}  // namespace fcm::loader
