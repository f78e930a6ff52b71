// Compares images and objects in frames with upstream's steps, applied one by one.
#include "fcm/loader/frame.h"

#include "fcm/image/mask_window.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/loader/frame_testing.h"
#include "tests/loader/coco_support.h"
#include "tests/loader/frame_support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::frame_options;
using Outlines = std::vector<std::vector<double>>;

TEST(FrameLayoutTest, SizesAndOffsetsRoundHalvesToEven) {
  FrameLayout layout = layout_for_training({480, 640}, 1024, {2, 0.5, false});
  EXPECT_EQ(layout.resized, (Extent{1536, 2048}));
  EXPECT_EQ(layout.top, 256);
  EXPECT_EQ(layout.left, 512);
  EXPECT_EQ(layout.shown(), (Extent{1024, 1024}));
  layout = layout_for_training({480, 640}, 1024, {0.1, 0.9, true});
  EXPECT_EQ(layout.resized, (Extent{77, 102}));  // 76.8, 102.4
  EXPECT_EQ(layout.top, 0);
  EXPECT_EQ(layout.shown(), (Extent{77, 102}));
  EXPECT_TRUE(layout.mirror);
  EXPECT_EQ(layout_for_training({5, 10}, 5, {1, 0, false}).resized.rows, 2);   // 2.5
  EXPECT_EQ(layout_for_training({15, 10}, 5, {1, 0, false}).resized.cols, 3);  // 3.33
  EXPECT_EQ(layout_for_training({7, 7}, 6, {1.5, 0.5, false}).top, 2);         // 1.5
  EXPECT_EQ(layout_for_training({1, 700}, 64, {0.1, 0, false}).resized, (Extent{1, 6}));
}

TEST(FrameLayoutTest, ForTestingTheLongerSideIsTheFrames) {
  EXPECT_EQ(layout_for_testing({480, 640}, 1024).resized, (Extent{768, 1024}));
  EXPECT_EQ(layout_for_testing({640, 427}, 1024).resized, (Extent{1024, 683}));
  EXPECT_EQ(layout_for_testing({20, 31}, 128).resized, (Extent{83, 128}));
  EXPECT_EQ(layout_for_testing({1, 700}, 64).resized, (Extent{1, 64}));
  EXPECT_EQ(layout_for_testing({700, 1}, 64).resized, (Extent{64, 1}));
}

TEST(FrameDrawsTest, AreKeyedAndInTheirRanges) {
  const FrameOptions options = frame_options();
  double low = 9, high = 0, mean_offset = 0, mirrored = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const FrameDraws draws = draw_frame(options, 1, 2, i), again = draw_frame(options, 1, 2, i);
    ASSERT_EQ(draws.scale, again.scale);
    ASSERT_EQ(draws.offset_share, again.offset_share);
    ASSERT_EQ(draws.mirror, again.mirror);
    ASSERT_NE(draws.scale, draw_frame(options, 1, 3, i).scale);
    ASSERT_NE(draws.scale, draw_frame(options, 2, 2, i).scale);
    ASSERT_TRUE(draws.offset_share >= 0 && draws.offset_share < 1);
    low = std::min(low, draws.scale);
    high = std::max(high, draws.scale);
    mean_offset += draws.offset_share / 1000;
    mirrored += draws.mirror ? 1 : 0;
  }
  EXPECT_GE(low, 0.1);
  EXPECT_LT(low, 0.12);
  EXPECT_LE(high, 2);
  EXPECT_GT(high, 1.98);
  EXPECT_NEAR(mean_offset, 0.5, 0.05);
  EXPECT_NEAR(mirrored, 500, 60);
}

// Resizes the whole image, cuts and pads it to the frame, then mirrors the frame.
std::vector<uint8_t> step_by_step(const image::Image& image, const FrameLayout& layout,
                                  uint8_t pad) {
  const Extent size = layout.resized, shown = layout.shown();
  std::vector<uint8_t> resized(static_cast<size_t>(size.rows * size.cols * 3));
  image::crop_resize(image, {0, 0, image.rows, image.cols}, size.rows, size.cols,
                     image::Interpolation::kBilinear, false, resized.data());
  std::vector<uint8_t> frame(static_cast<size_t>(layout.side * layout.side * 3), pad);
  for (int64_t row = 0; row < shown.rows; ++row) {
    for (int64_t col = 0; col < shown.cols; ++col) {
      const int64_t to = layout.mirror ? layout.side - 1 - col : col;
      const int64_t from = (row + layout.top) * size.cols + col + layout.left;
      for (int64_t c = 0; c < 3; ++c) {
        frame[static_cast<size_t>((row * layout.side + to) * 3 + c)] =
            resized[static_cast<size_t>(from * 3 + c)];
      }
    }
  }
  return frame;
}

TEST(Frame, PixelsAreThoseOfThePublishedSteps) {
  const test::DrawnObjects dataset(40);
  FrameOptions options = frame_options();
  options.jitter.pad = 77;
  std::vector<uint8_t> pixels(48 * 48 * 3);
  Instances truth;
  int64_t larger = 0;
  for (int64_t i = 0; i < 40; ++i) {
    const FrameDraws draws = draw_frame(options, 3, 0, static_cast<uint64_t>(i));
    read_frame_for_training(dataset, i, options, draws, pixels.data(), truth);
    const FrameLayout layout = layout_for_training(dataset.extent_of(i), 48, draws);
    larger += layout.resized.rows > 48 ? 1 : 0;
    ASSERT_TRUE(pixels == step_by_step(dataset.get(i, 3), layout, 77)) << i;
    EXPECT_EQ(truth.image, 1000 + i);
    EXPECT_EQ(truth.rows, 48);
    EXPECT_EQ(truth.cols, 48);
  }
  EXPECT_GT(larger, 8);
}

// Reading from files decodes only the part of an image that the frame shows.
TEST(Frame, PixelsOfFilesAreThoseOfWholeImages) {
  const test::Scratch folder;
  test::write_small_coco(folder);
  const auto dataset = open_dataset(folder.string(), Split::kTrain);
  const FrameOptions options = frame_options(32);
  std::vector<uint8_t> pixels(32 * 32 * 3);
  Instances truth;
  for (uint64_t k = 0; k < 60; ++k) {
    const auto i = static_cast<int64_t>(k % 3);
    const FrameDraws draws = draw_frame(options, 3, 1, k);
    read_frame_for_training(*dataset, i, options, draws, pixels.data(), truth);
    const image::Image whole = dataset->get(i, 3);
    const FrameLayout layout = layout_for_training({whole.rows, whole.cols}, 32, draws);
    ASSERT_TRUE(pixels == step_by_step(whole, layout, 128)) << k;
    EXPECT_EQ(truth, instances_in_frame(dataset->instances(i), layout));
  }
}

Instance of_outlines(const Outlines& outlines) {
  Instance instance;
  instance.annotation = 8;
  instance.class_number = 2;
  instance.area = 55;
  instance.outlines = outlines;
  return instance;
}

TEST(Frame, OutlinesMoveWithTheImage) {
  const Instances whole{4, 40, 80, {of_outlines({{10, 10, 30, 10, 30, 20}})}};
  FrameLayout layout = layout_for_training({40, 80}, 64, {1, 0, false});  // resized to 32 x 64
  Instances moved = instances_in_frame(whole, layout);
  ASSERT_EQ(moved.instances.size(), 1u);
  EXPECT_EQ(moved.instances[0].outlines, (Outlines{{8, 8, 24, 8, 24, 16}}));
  EXPECT_EQ(moved.instances[0].box, (std::array<double, 4>{8, 8, 24, 16}));
  EXPECT_EQ(moved.instances[0].annotation, 8);
  EXPECT_EQ(moved.instances[0].class_number, 2);
  EXPECT_EQ(moved.instances[0].area, 55);
  EXPECT_EQ(moved.image, 4);
  layout.mirror = true;  // mirrors the whole frame
  moved = instances_in_frame(whole, layout);
  EXPECT_EQ(moved.instances[0].outlines, (Outlines{{56, 8, 40, 8, 40, 16}}));
  EXPECT_EQ(moved.instances[0].box, (std::array<double, 4>{40, 8, 56, 16}));
  // Resized to 64 x 128, then cut to 64 columns: first the last ones, then the central ones.
  layout = layout_for_training({40, 80}, 64, {2, 1, false});
  EXPECT_EQ(layout.left, 64);
  EXPECT_TRUE(instances_in_frame(whole, layout).instances.empty());
  layout = layout_for_training({40, 80}, 64, {2, 0.5, false});
  EXPECT_EQ(instances_in_frame(whole, layout).instances[0].outlines,
            (Outlines{{0, 16, 16, 16, 16, 32, 0, 24}}));
}

TEST(Frame, BoxesAreInSinglePrecision) {
  const Instances whole{4, 30, 30, {of_outlines({{1.23, 4.56, 17.89, 4.56, 17.89, 20.01}})}};
  const Instances moved =
      instances_in_frame(whole, layout_for_training({30, 30}, 48, {1, 0, false}));
  for (const double place : moved.instances[0].box) {
    EXPECT_EQ(place, double{static_cast<float>(place)});
  }
  EXPECT_EQ(moved.instances[0].box[0], double{static_cast<float>(1.23 * (48.0 / 30.0))});
}

TEST(Frame, WhatIsNotLearntIsLeftOut) {
  Instance crowd = of_outlines({{10, 10, 30, 10, 30, 20}});
  crowd.crowd = true;
  const Instance thin = of_outlines({{10, 10, 10, 30, 10, 20}});
  const Instance tiny = of_outlines({{10, 10, 10.000001, 10, 10, 10.000001}});
  const Instance outside = of_outlines({{-10, -10, -5, -10, -5, -5}});
  const Instance beyond = of_outlines({{70, 5, 90, 5, 90, 9}});  // inside the frame's padding
  const Instances whole{4, 32, 60, {crowd, thin, tiny, outside, beyond}};
  const FrameLayout layout = layout_for_training({32, 60}, 64, {0.5, 0, false});
  const Instances moved = instances_in_frame(whole, layout);
  ASSERT_EQ(moved.instances.size(), 1u) << "an outline may be in the padding, as upstream";
  EXPECT_GT(moved.instances[0].box[0], 32);
}

TEST(Frame, PartsSplitAndVanish) {
  // A U-shaped outline whose base is above the frame, and a second outline.
  const Instance u = of_outlines(
      {{2, 2, 28, 2, 28, 30, 24, 30, 24, 8, 6, 8, 6, 30, 2, 30}, {10, 12, 12, 12, 12, 14}});
  const Instances whole{4, 32, 32, {u}};
  FrameLayout layout{32, {32, 32}, {42, 32}, 12, 0, false};
  const Instances moved = instances_in_frame(whole, layout);
  ASSERT_EQ(moved.instances.size(), 1u);
  EXPECT_EQ(moved.instances[0].outlines.size(), 3u);
  layout.top = 10;  // half a pixel of the base's height remains in the frame
  EXPECT_EQ(instances_in_frame(whole, layout).instances[0].outlines.size(), 2u);
}

TEST(Frame, MasksMoveAsBitmaps) {
  const image::RunLengths mask =
      image::raster_polygon(std::vector<double>{10, 10, 30, 10, 30, 30}, 40, 60);
  Instance instance;
  instance.mask = mask;
  const Instances whole{4, 40, 60, {instance}};
  for (uint64_t k = 0; k < 40; ++k) {
    const FrameDraws draws = draw_frame(frame_options(), 9, 0, k);
    const FrameLayout layout = layout_for_training({40, 60}, 48, draws);
    const Extent shown = layout.shown();
    const image::RunLengths expected =
        image::resize_mask(mask, {layout.resized.rows,
                                  layout.resized.cols,
                                  {layout.top, layout.left, shown.rows, shown.cols},
                                  48,
                                  48,
                                  draws.mirror});
    const Instances moved = instances_in_frame(whole, layout);
    const auto [x, y, width, height] = image::mask_box(expected);
    if (width == 0) {
      EXPECT_TRUE(moved.instances.empty());
      continue;
    }
    ASSERT_EQ(moved.instances.size(), 1u);
    EXPECT_EQ(moved.instances[0].mask, expected);
    EXPECT_EQ(moved.instances[0].box, (std::array<double, 4>{x, y, x + width, y + height}));
  }
}

TEST(Frame, AMaskAndItsOutlineNearlyAgree) {
  const std::vector<double> xy{10, 10, 50, 12, 45, 33, 12, 30};
  Instance of_mask;
  of_mask.mask = image::raster_polygon(xy, 40, 60);
  const Instances whole{4, 40, 60, {of_outlines({xy}), of_mask}};
  for (uint64_t k = 0; k < 30; ++k) {
    const FrameDraws draws = draw_frame(frame_options(), 10, 0, k);
    if (draws.scale < 0.5) continue;
    const Instances moved = instances_in_frame(whole, layout_for_training({40, 60}, 48, draws));
    if (moved.instances.size() < 2) continue;
    const auto outline = image::decode_mask(mask_of(moved.instances[0], 48, 48));
    const auto bitmap = image::decode_mask(mask_of(moved.instances[1], 48, 48));
    double differing = 0, set = 0;
    for (size_t i = 0; i < outline.size(); ++i) {
      differing += outline[i] != bitmap[i] ? 1 : 0;
      set += outline[i];
    }
    EXPECT_TRUE(set < 100 || differing < 0.25 * set) << k;
    const std::array<float, 4> box{4, 4, 40, 40};
    EXPECT_EQ(mask_target_of(moved.instances[0], box, 28).size(), 784u);
    EXPECT_EQ(mask_target_of(moved.instances[1], box, 28).size(), 784u);
  }
}

TEST(Frame, AnotherSizeThanRecordedIsRefused) {
  class Smaller final : public Dataset {
   public:
    int64_t size() const override { return 1; }
    int64_t label(int64_t) const override { return -1; }
    const std::vector<std::string>& classes() const override { return none_; }
    std::string name(int64_t) const override { return "the image"; }
    image::Image get(int64_t, int64_t channels) const override {
      return test::pattern(20, 30, channels);
    }
    Instances instances(int64_t) const override { return {7, 30, 20, {}}; }

   private:
    std::vector<std::string> none_;
  };
  std::vector<uint8_t> pixels(48 * 48 * 3);
  Instances truth;
  EXPECT_EQ(data_error([&] {
              read_frame_for_training(Smaller(), 0, frame_options(), {}, pixels.data(), truth);
            }),
            "the image has 30x20 pixels, but its annotations are for 20x30");
}

TEST(Frame, OptionsThatContradictEachOtherAreRefused) {
  const auto refused = [](auto change) {
    FrameOptions options = frame_options();
    change(options);
    return test::error_of(ExitCode::kUsage, [&] { check_frame_options(options); });
  };
  check_frame_options(frame_options());
  EXPECT_NE(refused([](FrameOptions& o) {
              o.data.image_size = {32, 40};
            }).find("square"),
            std::string::npos);
  EXPECT_NE(refused([](FrameOptions& o) { o.data.channels = 1; }), "");
  EXPECT_NE(refused([](FrameOptions& o) { o.data.pad = 2; }), "");
  EXPECT_NE(refused([](FrameOptions& o) { o.jitter.scale_range = {2, 1}; }), "");
  EXPECT_NE(refused([](FrameOptions& o) { o.jitter.scale_range = {0, 1}; }), "");
  EXPECT_NE(refused([](FrameOptions& o) { o.jitter.pad = 300; }), "");
}

TEST(ForEachFrame, WholeImagesInOrder) {
  const auto dataset = std::make_shared<test::DrawnObjects>(21, std::set<int64_t>{4});
  for (const int64_t threads : {1, 3}) {
    std::vector<int64_t> seen;
    const auto bad = for_each_frame({dataset, frame_options(), threads}, [&](TestFrame&& test) {
      seen.push_back(test.index);
      const FrameLayout layout = layout_for_testing(dataset->extent_of(test.index), 48);
      EXPECT_EQ(test.image, dataset->extent_of(test.index));
      EXPECT_EQ(test.shown, layout.resized);
      EXPECT_EQ(test.frame.rows, 48);
      EXPECT_TRUE(test.frame.pixels == step_by_step(dataset->get(test.index, 3), layout, 128));
    });
    EXPECT_EQ(seen.size(), 20u);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
    ASSERT_EQ(bad.size(), 1u);
    EXPECT_EQ(bad[0].sample, 4);
  }
  std::vector<int64_t> seen;
  for (int64_t rank = 0; rank < 3; ++rank) {
    for_each_frame({dataset, frame_options(), 2, {rank, 3}},
                   [&](TestFrame&& test) { seen.push_back(test.index); });
  }
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  FrameOptions strict = frame_options();
  strict.data.max_bad_share = 0;
  EXPECT_NE(data_error([&] { for_each_frame({dataset, strict, 2}, [](TestFrame&&) {}); }), "");
}

}  // namespace
}  // namespace fcm::loader
