#include "fcm/loader/scene.h"

#include <algorithm>
#include <cmath>

#include "fcm/image/opencv_resize.h"
#include "tests/loader/scene_support.h"

namespace fcm::loader {
namespace {

using test::data_error;
using test::DrawnScenes;
using test::scene_options;

struct Prepared {
  Extent extent;
  std::vector<uint8_t> pixels;
  ClassMap map;
};

Prepared prepare(const Dataset& dataset, int64_t index, const SceneOptions& options,
                 const SceneDraws& draws) {
  Prepared prepared;
  prepared.pixels.assign(
      static_cast<size_t>(options.data.image_size[0] * options.data.image_size[1] * 3), 77);
  prepared.extent =
      read_scene_for_training(dataset, index, options, draws, prepared.pixels.data(), prepared.map);
  return prepared;
}

// Upstream's pipeline: each step is applied to the whole result of the step before.
class PlainPipeline {
 public:
  PlainPipeline(const Dataset& dataset, int64_t index, const SceneOptions& options,
                const SceneDraws& draws)
      : options_(options), draws_(draws), image_(dataset.get(index, 3)) {
    map_ = dataset.class_map(index).classes;
    for (uint8_t& value : map_) {
      if (options.pipeline.reduce_zero_label) {
        value = value == 0 || value == 255 ? 255 : static_cast<uint8_t>(value - 1);
      }
    }
    resize();
    crop();
    if (draws_.mirror) mirror();
    if (options_.pipeline.photometric) {
      distort(draws_.distortion, image_.pixels.data(), image_.rows * image_.cols);
    }
    pad();
  }

  Prepared take() { return {extent_, image_.pixels, {image_.rows, image_.cols, map_}}; }

 private:
  void resize() {
    const double ratio = draws_.ratio;
    const auto longer = static_cast<double>(
        static_cast<int64_t>(static_cast<double>(options_.pipeline.scale[0]) * ratio));
    const auto shorter = static_cast<double>(
        static_cast<int64_t>(static_cast<double>(options_.pipeline.scale[1]) * ratio));
    const auto height = static_cast<double>(image_.rows);
    const auto width = static_cast<double>(image_.cols);
    const double factor =
        std::min(longer / std::max(height, width), shorter / std::min(height, width));
    // At least 1, as in this program; upstream fails if a side becomes 0.
    const auto rows = std::max<int64_t>(static_cast<int64_t>(height * factor + 0.5), 1);
    const auto cols = std::max<int64_t>(static_cast<int64_t>(width * factor + 0.5), 1);
    std::vector<uint8_t> resized(static_cast<size_t>(rows * cols));
    image::resize_nearest({image_.rows, image_.cols, rows, cols}, map_.data(), {0, 0, rows, cols},
                          resized.data());
    map_ = resized;
    image_ = image::resize_linear(image_, rows, cols);
  }

  void crop() {
    const int64_t rows = std::min(options_.data.image_size[0], image_.rows);
    const int64_t cols = std::min(options_.data.image_size[1], image_.cols);
    std::vector<uint8_t> map;
    image::Box box;
    for (int draw = 0; draw < 11; ++draw) {
      box.top = draws_.draw_offset(image_.rows - rows);
      box.left = draws_.draw_offset(image_.cols - cols);
      map.clear();
      for (int64_t i = 0; i < rows * cols; ++i) {
        map.push_back(
            map_[static_cast<size_t>((box.top + i / cols) * image_.cols + box.left + i % cols)]);
      }
      if (is_accepted(map)) break;
    }
    image::Image cropped{rows, cols, 3, {}};
    for (int64_t row = box.top; row < box.top + rows; ++row) {
      const auto begin = image_.pixels.begin() + (row * image_.cols + box.left) * 3;
      cropped.pixels.insert(cropped.pixels.end(), begin, begin + cols * 3);
    }
    image_ = cropped;
    map_ = map;
  }

  bool is_accepted(const std::vector<uint8_t>& map) const {
    if (options_.pipeline.cat_max_ratio >= 1) return true;
    std::map<uint8_t, double> counts;
    for (const uint8_t value : map) ++counts[value];
    counts.erase(255);
    double sum = 0, most = 0;
    for (const auto& [value, count] : counts) {
      sum += count;
      most = std::max(most, count);
    }
    return counts.size() > 1 && most / sum < options_.pipeline.cat_max_ratio;
  }

  void mirror() {
    for (int64_t row = 0; row < image_.rows; ++row) {
      for (int64_t left = 0, right = image_.cols - 1; left < right; ++left, --right) {
        const auto a = static_cast<size_t>(row * image_.cols + left);
        const auto b = static_cast<size_t>(row * image_.cols + right);
        std::swap(map_[a], map_[b]);
        for (size_t c = 0; c < 3; ++c)
          std::swap(image_.pixels[a * 3 + c], image_.pixels[b * 3 + c]);
      }
    }
  }

  void pad() {
    extent_ = {image_.rows, image_.cols};
    image::Image padded{options_.data.image_size[0], options_.data.image_size[1], 3, {}};
    std::vector<uint8_t> map;
    for (int64_t row = 0; row < padded.rows; ++row) {
      for (int64_t col = 0; col < padded.cols; ++col) {
        const bool inside = row < image_.rows && col < image_.cols;
        const auto at = static_cast<size_t>(row * image_.cols + col);
        map.push_back(inside ? map_[at] : uint8_t{255});
        for (size_t c = 0; c < 3; ++c) {
          padded.pixels.push_back(inside ? image_.pixels[at * 3 + c] : uint8_t{0});
        }
      }
    }
    image_ = padded;
    map_ = map;
  }

  const SceneOptions& options_;
  const SceneDraws& draws_;
  Extent extent_;
  image::Image image_;
  std::vector<uint8_t> map_;
};

void expect_plain(const Dataset& dataset, int64_t index, const SceneOptions& options,
                  uint64_t sample) {
  const Prepared got = prepare(dataset, index, options, draw_scene(options, 7, 1, sample));
  const SceneDraws draws = draw_scene(options, 7, 1, sample);
  const Prepared wanted = PlainPipeline(dataset, index, options, draws).take();
  EXPECT_EQ(got.extent, wanted.extent);
  EXPECT_TRUE(got.pixels == wanted.pixels) << index << ", draws of " << sample;
  EXPECT_TRUE(got.map.classes == wanted.map.classes) << index << ", draws of " << sample;
}

TEST(Scene, OnlyWhatTheCropNeedsHasTheBitsOfTheWhole) {
  const DrawnScenes dataset(40);
  SceneOptions options = scene_options();
  for (int64_t i = 0; i < 40; ++i) expect_plain(dataset, i, options, static_cast<uint64_t>(i));
  options.pipeline.photometric = false;
  options.pipeline.cat_max_ratio = 1;
  for (int64_t i = 0; i < 10; ++i) expect_plain(dataset, i, options, 100 + i);
}

TEST(Scene, ShapesAtTheEdge) {
  DrawnScenes dataset(6);
  dataset.extents = {{0, {9, 11}}, {1, {300, 20}}, {2, {20, 400}},
                     {3, {1, 50}}, {4, {48, 48}},  {5, {3, 900}}};
  for (int64_t i = 0; i < 6; ++i) {
    for (uint64_t sample = 0; sample < 8; ++sample) {
      expect_plain(dataset, i, scene_options(), sample);
    }
  }
}

TEST(Scene, SizesKeepTheShape) {
  const std::vector<int64_t> scale{2048, 512};
  EXPECT_EQ(fitted_size({512, 683}, scale), (Extent{512, 683}));
  EXPECT_EQ(fitted_size({375, 500}, scale), (Extent{512, 683}));
  EXPECT_EQ(fitted_size({300, 1300}, scale), (Extent{473, 2048}));  // more than 4 times as wide
  EXPECT_EQ(fitted_size({1300, 300}, scale), (Extent{2048, 473}));
  EXPECT_EQ(fitted_size({1, 50000}, scale), (Extent{1, 2048}));
  const std::vector<int64_t> turned{512, 2048};
  EXPECT_EQ(fitted_size({375, 500}, turned), (Extent{512, 683}));
  PipelineOptions pipeline;
  EXPECT_EQ(training_size({375, 500}, pipeline, 1.5425), (Extent{789, 1052}));
}

TEST(Scene, CropsShowTwoClassesNoneOfWhichHasThreeQuarters) {
  using Bytes = std::vector<uint8_t>;
  const auto shown = [](Bytes classes) { return shows_enough(classes, 0.75); };
  EXPECT_TRUE(shown({1, 1, 2}));
  EXPECT_FALSE(shown({1, 1, 1, 2}));  // a share of exactly 0.75 is refused: it must be less
  EXPECT_TRUE(shown({1, 1, 1, 2, 0}));
  EXPECT_FALSE(shown({1, 1, 1}));
  EXPECT_FALSE(shown({255, 255, 255, 255}));
  EXPECT_FALSE(shown({255, 255, 255, 1}));
  EXPECT_TRUE(shown({255, 255, 255, 255, 255, 1, 0}));  // ignored pixels do not count
}

// Counts the positions that are drawn if every crop of the image is refused.
TEST(Scene, TheEleventhCropIsTakenUnchecked) {
  DrawnScenes dataset(1);
  dataset.extents[0] = {48, 100};
  dataset.maps[0] = {48, 100, std::vector<uint8_t>(4800, 0)};  // nothing is labelled
  const SceneOptions options = scene_options();
  SceneDraws draws = draw_scene(options, 1, 0, 0);
  draws.ratio = 1;
  std::vector<int64_t> most;
  draws.draw_offset = [&](int64_t last) {
    most.push_back(last);
    return std::min<int64_t>(last, std::ssize(most));
  };
  const Prepared got = prepare(dataset, 0, options, draws);
  EXPECT_EQ(most.size(), 22u);
  EXPECT_EQ(most[0], 16);
  EXPECT_EQ(most[1], 60);
  EXPECT_EQ(got.map.classes, std::vector<uint8_t>(32 * 40, kIgnored));
  most.clear();
  SceneOptions unchecked = options;
  unchecked.pipeline.cat_max_ratio = 1;
  prepare(dataset, 0, unchecked, draws);
  EXPECT_EQ(most.size(), 2u);
}

// reduce_zero_label subtracts 1 in uint8: 0 becomes 255 (ignored). 255 must stay 255, although
// subtraction would make it class 254.
TEST(Scene, TheZeroLabelIsReduced) {
  SceneOptions options = scene_options();
  ClassMap map{1, 4, {0, 1, 5, 255}};
  reduce_classes(map, options, "x");
  EXPECT_EQ(map.classes, (std::vector<uint8_t>{255, 0, 4, 255}));
  options.pipeline.reduce_zero_label = false;
  map.classes = {0, 1, 4, 255};
  reduce_classes(map, options, "x");
  EXPECT_EQ(map.classes, (std::vector<uint8_t>{0, 1, 4, 255}));
}

TEST(Scene, AValueAboveTheClassesIsNamed) {
  SceneOptions options = scene_options();
  ClassMap map{1, 4, {0, 6, 6, 1}};
  EXPECT_EQ(data_error([&] { reduce_classes(map, options, "a.jpg"); }),
            "the map of a.jpg has the value 6 (2 pixels), but there are 5 classes: values are 0 "
            "(unlabelled) and 1 to 5, and 255 is ignored (pipeline.reduce_zero_label is true)");
  options.pipeline.reduce_zero_label = false;
  map.classes = {0, 4, 5, 1};
  EXPECT_NE(data_error([&] { reduce_classes(map, options, "a.jpg"); }).find("value 5 (1 pixels)"),
            std::string::npos);
}

TEST(Scene, AMapOfAnotherSizeIsAFaultOfTheImage) {
  DrawnScenes dataset(1);
  dataset.maps[0] = test::blocks(50, 40, 1);  // rows and columns are swapped
  const SceneOptions options = scene_options();
  EXPECT_EQ(data_error([&] { prepare(dataset, 0, options, draw_scene(options, 1, 0, 0)); }),
            "scene 0 has 50x40 pixels, its map 40x50; they belong to different images");
}

TEST(Scene, OptionsThatContradictAreRefused) {
  const auto refusal = [](const auto& change) {
    SceneOptions options = scene_options();
    change(options);
    return test::error_of(ExitCode::kUsage, [&] { check_scene_options(options); });
  };
  EXPECT_NE(refusal([](SceneOptions& o) { o.data.channels = 1; }), "");
  EXPECT_NE(refusal([](SceneOptions& o) { o.data.pad = 2; }), "");
  EXPECT_NE(refusal([](SceneOptions& o) { o.pipeline.scale = {512}; }), "");
  EXPECT_NE(refusal([](SceneOptions& o) { o.pipeline.ratio_range = {2, 0.5}; }), "");
  EXPECT_NE(refusal([](SceneOptions& o) { o.classes = 0; }).find("set segmenter.classes"),
            std::string::npos);
  EXPECT_NE(refusal([](SceneOptions& o) { o.classes = 256; }), "");
  check_scene_options(scene_options());
}

}  // namespace
}  // namespace fcm::loader
