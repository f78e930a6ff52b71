// Counts of pixels per class, and the figures computed from them.
#include "fcm/eval/miou.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "fcm/base/random.h"
#include "tests/dist/thread_group.h"

namespace fcm::eval {
namespace {

using Map = std::vector<uint8_t>;

// A random map of runs of 1 to `most` pixels of one class; real maps have runs. If `ignored`, a
// tenth of the runs has the value 255, which is ignored.
Map synthetic_map(size_t pixels, int64_t classes, int64_t most, bool ignored, uint64_t seed) {
  KeyedRandom random(seed, Purpose::kSynthetic, 0, pixels);
  Map map;
  while (map.size() < pixels) {
    const bool none = ignored && random.below(10) == 0;
    const auto value = none ? 255 : static_cast<int>(random.below(static_cast<uint64_t>(classes)));
    const auto run = 1 + random.below(static_cast<uint64_t>(most));
    for (uint64_t i = 0; i < run && map.size() < pixels; ++i) {
      map.push_back(static_cast<uint8_t>(value));
    }
  }
  return map;
}

// The pixel counts of one class by their definition.
ClassOverlap overlap_of(const Map& predicted, const Map& labels, int value) {
  ClassOverlap one;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 255) continue;
    one.labelled += labels[i] == value;
    one.predicted += predicted[i] == value;
    one.intersection += labels[i] == value && predicted[i] == value;
  }
  return one;
}

void expect_same(const ClassOverlap& got, const ClassOverlap& wanted, size_t value) {
  EXPECT_EQ(got.intersection, wanted.intersection) << value;
  EXPECT_EQ(got.predicted, wanted.predicted) << value;
  EXPECT_EQ(got.labelled, wanted.labelled) << value;
}

TEST(Miou, CountsEqualTheDefinition) {
  for (const int64_t classes : {1, 2, 12, 150, 255}) {
    for (const int64_t most : {1, 40}) {
      const Map predicted = synthetic_map(5000, classes, most, false, 1);
      const Map labels = synthetic_map(5000, classes, most, true, 2);
      ClassCounts counts(classes);
      counts.add(predicted, labels);
      const MeanIou measured = counts.result();
      ASSERT_EQ(std::ssize(measured.classes), classes);
      int64_t labelled = 0;
      for (size_t value = 0; value < measured.classes.size(); ++value) {
        const ClassOverlap wanted = overlap_of(predicted, labels, static_cast<int>(value));
        expect_same(measured.classes[value], wanted, value);
        labelled += wanted.labelled;
      }
      EXPECT_EQ(measured.pixels, labelled);
      EXPECT_EQ(measured.images, 1);
    }
  }
}

// Labels      0 0 1 1 3 -    (classes 0 to 3; the last pixel is ignored)
// Prediction  0 1 1 1 2 3    IoU: 1/2, 2/3, 0/1, 0/1; accuracy: 1/2, 2/2, none, 0/1
TEST(Miou, MeansLeaveOutWhatHasNoFigure) {
  ClassCounts counts(5);  // class 4 does not occur
  counts.add(Map{0, 1, 1, 1, 2, 3}, Map{0, 0, 1, 1, 3, 255});
  const MeanIou measured = counts.result();
  EXPECT_DOUBLE_EQ(measured.miou, 100 * (1.0 / 2 + 2.0 / 3 + 0 + 0) / 4);
  EXPECT_DOUBLE_EQ(measured.macc, 100 * (1.0 / 2 + 1 + 0) / 3);
  EXPECT_DOUBLE_EQ(measured.aacc, 100 * 3.0 / 5);
  EXPECT_EQ(measured.pixels, 5);
  EXPECT_EQ(measured.classes[2].iou(), 0);
  EXPECT_TRUE(std::isnan(measured.classes[2].accuracy()));
  EXPECT_TRUE(std::isnan(measured.classes[4].iou()));
  const nlohmann::json lines = class_lines(measured, {"a", "b", "c", "d", "e"});
  EXPECT_EQ(lines[0],
            (nlohmann::json{{"class", "a"}, {"iou", 50.0}, {"accuracy", 50.0}, {"pixels", 2}}));
  EXPECT_EQ(lines[2],
            (nlohmann::json{{"class", "c"}, {"iou", 0.0}, {"accuracy", nullptr}, {"pixels", 0}}));
  EXPECT_EQ(lines[4].at("iou"), nullptr);
  EXPECT_THROW(class_lines(measured, {"a"}), std::logic_error);
}

TEST(Miou, FiguresAreOfAllPixelsTogether) {
  ClassCounts counts(2);
  counts.add(Map{0, 0, 0, 0}, Map{0, 0, 0, 0});  // IoU of class 0: 1
  counts.add(Map{1, 1}, Map{0, 1});              // IoU of class 0: 0; of both images: 4 of 5
  EXPECT_DOUBLE_EQ(counts.result().classes[0].iou(), 80);
  EXPECT_EQ(counts.result().images, 2);
}

TEST(Miou, NothingLabelledGivesNoFigure) {
  ClassCounts counts(3);
  for (const MeanIou& measured : {counts.result(), [&] {
                                    counts.add(Map{0, 1, 2}, Map{255, 255, 255});
                                    return counts.result();
                                  }()}) {
    EXPECT_TRUE(std::isnan(measured.miou));
    EXPECT_TRUE(std::isnan(measured.macc));
    EXPECT_TRUE(std::isnan(measured.aacc));
    EXPECT_EQ(measured.pixels, 0);
  }
}

TEST(Miou, RefusesWhatIsNoClass) {
  ClassCounts counts(3);
  EXPECT_THROW(counts.add(Map{0, 3}, Map{0, 0}), std::logic_error);
  EXPECT_THROW(counts.add(Map{0, 255}, Map{0, 0}), std::logic_error);
  EXPECT_THROW(counts.add(Map{0, 3}, Map{0, 255}), std::logic_error);  // also if ignored
  EXPECT_THROW(counts.add(Map{0, 0}, Map{0, 3}), std::logic_error);
  EXPECT_THROW(counts.add(Map{0, 0}, Map{0}), std::logic_error);
  EXPECT_THROW(ClassCounts(0), std::logic_error);
  EXPECT_THROW(ClassCounts(256), std::logic_error);
}

TEST(Miou, RanksTogetherAreOneThatSawAll) {
  ClassCounts alone(12);
  std::vector<Map> predicted, labels;
  for (uint64_t image = 0; image < 5; ++image) {
    predicted.push_back(synthetic_map(300 + image, 12, 9, false, image));
    labels.push_back(synthetic_map(300 + image, 12, 9, true, 100 + image));
    alone.add(predicted.back(), labels.back());
  }
  const MeanIou wanted = alone.result();
  std::mutex mutex;  // for GoogleTest's expectations in several threads
  dist::test::run_ranks(3, [&](dist::Group& group) {
    ClassCounts mine(12);
    for (size_t i = static_cast<size_t>(group.rank()); i < labels.size(); i += 3) {
      mine.add(predicted[i], labels[i]);
    }
    mine.add_other_ranks(group);
    const MeanIou together = mine.result();
    const std::scoped_lock lock(mutex);
    EXPECT_EQ(together.images, 5);
    EXPECT_EQ(together.miou, wanted.miou);
    EXPECT_EQ(together.macc, wanted.macc);
    EXPECT_EQ(together.aacc, wanted.aacc);
    for (size_t value = 0; value < 12; ++value) {
      expect_same(together.classes[value], wanted.classes[value], value);
    }
  });
}

}  // namespace
}  // namespace fcm::eval
