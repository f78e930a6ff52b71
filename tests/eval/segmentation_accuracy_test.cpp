// The accuracy of a segmenter does not depend on the number of ranks.
#include "fcm/eval/segmentation_accuracy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/dist/thread_group.h"
#include "tests/loader/scene_support.h"

namespace fcm::eval {
namespace {

constexpr int64_t kClassesOfBlocks = 5;

recipe::Recipe recipe_of_scenes() {
  recipe::Recipe recipe;
  recipe.task = recipe::Segment{};
  recipe.data = test::scene_options().data;
  recipe.segment().pipeline = test::scene_options().pipeline;
  recipe.segment().segmenter.stride = {20, 24};
  return recipe;
}

// Logits that depend on the window's pixels.
at::Tensor some_logits(const at::Tensor& windows_NHWC) {
  const at::Tensor grey_NHW1 =
      at::avg_pool2d(windows_NHWC.mean(3, true).permute({0, 3, 1, 2}), {4, 4})
          .permute({0, 2, 3, 1});
  return (grey_NHW1 * at::arange(1, kClassesOfBlocks + 1)).sin();
}

SegmentationAccuracy measured_by(dist::Group& group, int64_t images) {
  // Images 2 and 6 cannot be read.
  const auto scenes = std::make_shared<test::DrawnScenes>(images, std::set<int64_t>{2, 6});
  return segmentation_accuracy(some_logits, kClassesOfBlocks, recipe_of_scenes(), scenes, 1, group);
}

std::vector<int64_t> counts_of(const SegmentationAccuracy& accuracy) {
  std::vector<int64_t> counts{accuracy.images, std::ssize(accuracy.unreadable),
                              accuracy.figures.pixels};
  for (const ClassOverlap& one : accuracy.figures.classes) {
    counts.insert(counts.end(), {one.intersection, one.predicted, one.labelled});
  }
  return counts;
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

TEST(SegmentationAccuracy, OfSeveralRanksIsExactlyThatOfOne) {
  const std::shared_ptr<dist::Group> one = dist::group_of_one();
  const SegmentationAccuracy whole = measured_by(*one, 9);
  EXPECT_EQ(whole.images, 7);
  EXPECT_EQ(whole.unreadable.size(), 2);
  EXPECT_GT(whole.figures.miou, 0);
  for (const int64_t ranks : {2, 3, 4}) {
    std::vector<SegmentationAccuracy> found(static_cast<size_t>(ranks));
    dist::test::run_ranks(ranks, [&](dist::Group& group) {
      found[static_cast<size_t>(group.rank())] = measured_by(group, 9);
    });
    for (const SegmentationAccuracy& each : found) {
      EXPECT_EQ(counts_of(each), counts_of(whole)) << ranks;
      EXPECT_EQ(each.figures.miou, whole.figures.miou) << ranks;
      EXPECT_EQ(sorted(each.unreadable), sorted(whole.unreadable)) << ranks;
    }
  }
  EXPECT_NE(counts_of(measured_by(*one, 8)), counts_of(whole))
      << "negative control: one image less";
}

}  // namespace
}  // namespace fcm::eval
