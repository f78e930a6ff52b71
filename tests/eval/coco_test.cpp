// Average precision and recall: comparison with the plain form, known edge cases, and independence
// of the order of images and their distribution over ranks.
#include "fcm/eval/coco.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <stdexcept>

#include "tests/dist/thread_group.h"
#include "tests/eval/coco_support.h"
#include "tests/support/error_of.h"

namespace fcm::eval {
namespace {

// The values of numpy's linspace(.5, .95, 10), one of which is not exactly 0.9.
constexpr double kThresholds[] = {.5, .55, .6, .65, .7, .75, .8, .85, 0.8999999999999999, .95};

using test::PlainCoco;
using test::ScoredImage;

// Compares the curves of all categories and thresholds, for seven pairs of area range and largest
// number of detections.
void expect_plain(const CocoEvaluation& got, const PlainCoco& plain, int64_t categories) {
  for (int64_t category = 0; category < categories; ++category) {
    for (const auto& [range, most] : {std::pair<size_t, size_t>{0, 100},
                                      {0, 1},
                                      {0, 10},
                                      {1, 100},
                                      {2, 100},
                                      {3, 100},
                                      {2, 10}}) {
      const auto curve =
          got.curve(category, static_cast<CocoArea>(range), static_cast<int64_t>(most));
      for (size_t t = 0; t < 10; ++t) {
        const PlainCoco::Figures wanted = plain.figures(category, range, kThresholds[t], most);
        ASSERT_EQ(curve.has_value(), !wanted.precision.empty());
        if (!curve) continue;
        ASSERT_EQ(curve->recall[t], wanted.recall) << category << " " << range << " " << t;
        for (size_t i = 0; i < wanted.precision.size(); ++i) {
          ASSERT_DOUBLE_EQ(curve->precision[t][i], wanted.precision[i])
              << category << " " << range << " " << t << " " << i;
        }
      }
    }
  }
}

TEST(Coco, BoxesEqualThePlainForm) {
  for (uint64_t number = 0; number < 12; ++number) {
    test::CocoSetOptions options;
    options.categories = number % 3 == 0 ? 1 : 4;
    options.most_extra = number % 4 == 0 ? 150 : 8;
    const auto set = test::synthetic_coco_set(options, number);
    expect_plain(test::evaluation_of(set, options.categories, CocoShape::kBox),
                 PlainCoco(set, CocoShape::kBox), options.categories);
  }
}

TEST(Coco, MasksEqualThePlainForm) {
  const test::CocoSetOptions options{5, 2, 100, 4, 3, true};
  const auto set = test::synthetic_coco_set(options, 77);
  expect_plain(test::evaluation_of(set, 2, CocoShape::kMask), PlainCoco(set, CocoShape::kMask), 2);
}

void expect_same_bits(const CocoFigures& got, const CocoFigures& wanted) {
  for (const auto& [name, figure] : kCocoFigureNames) {
    const double one = got.*figure, other = wanted.*figure;
    EXPECT_TRUE(one == other || (std::isnan(one) && std::isnan(other)))
        << name << " " << one << " " << other;
  }
}

void expect_same_result(const CocoResult& got, const CocoResult& wanted) {
  expect_same_bits(got.figures, wanted.figures);
  ASSERT_EQ(got.categories.size(), wanted.categories.size());
  for (size_t i = 0; i < got.categories.size(); ++i) {
    expect_same_bits(got.categories[i], wanted.categories[i]);
  }
  EXPECT_EQ(got.ap_at, wanted.ap_at);
  EXPECT_EQ(got.images, wanted.images);
  EXPECT_EQ(got.detections, wanted.detections);
}

TEST(Coco, FiguresAreMeansOfCategories) {
  const auto set = test::synthetic_coco_set({.images = 40}, 5);
  const CocoEvaluation evaluation = test::evaluation_of(set, 6, CocoShape::kBox);
  const CocoResult result = evaluation.result();
  const PlainCoco plain(set, CocoShape::kBox);
  for (const auto& [range, most, precision, recall] :
       {std::tuple{0, 100, &CocoFigures::ap, &CocoFigures::ar100},
        {1, 100, &CocoFigures::ap_small, &CocoFigures::ar_small},
        {2, 100, &CocoFigures::ap_medium, &CocoFigures::ar_medium},
        {3, 100, &CocoFigures::ap_large, &CocoFigures::ar_large}}) {
    double sum = 0, recalls = 0, count = 0;
    for (int64_t category = 0; category < 6; ++category) {
      for (const double threshold : kThresholds) {
        const auto one = plain.figures(category, static_cast<size_t>(range), threshold,
                                       static_cast<size_t>(most));
        for (const double value : one.precision) sum += value / 101;
        recalls += one.recall;
        count += !one.precision.empty();
      }
    }
    EXPECT_NEAR(result.figures.*precision, sum / count, 1e-12);
    EXPECT_NEAR(result.figures.*recall, recalls / count, 1e-12);
  }
  EXPECT_EQ(result.figures.ap50, result.ap_at[0]);
  EXPECT_EQ(result.figures.ap75, result.ap_at[5]);
  EXPECT_NEAR(result.figures.ap, std::accumulate(result.ap_at.begin(), result.ap_at.end(), 0.) / 10,
              1e-12);
  EXPECT_LT(result.figures.ar1, result.figures.ar10);
  EXPECT_TRUE(std::isnan(result.categories[5].ap));  // the category has no truths
}

TEST(Coco, TheOrderOfImagesDoesNotMatter) {
  std::vector<ScoredImage> set = test::synthetic_coco_set({.images = 40}, 9);
  const CocoResult wanted = test::evaluation_of(set, 4, CocoShape::kBox).result();
  std::ranges::reverse(set);
  expect_same_result(test::evaluation_of(set, 4, CocoShape::kBox).result(), wanted);
  // Negative control: ids break ties of equal scores, so other ids give another figure.
  for (ScoredImage& one : set) one.id = -one.id;
  EXPECT_NE(test::evaluation_of(set, 4, CocoShape::kBox).result().figures.ap, wanted.figures.ap);
}

TEST(Coco, PartsAndRanksTogetherAreOneThatSawAll) {
  const std::vector<ScoredImage> set = test::synthetic_coco_set({.images = 30}, 10);
  const CocoResult wanted = test::evaluation_of(set, 4, CocoShape::kBox).result();
  const auto part = [&](int64_t rank, int64_t ranks) {
    CocoEvaluation mine(4, CocoShape::kBox);
    for (size_t i = static_cast<size_t>(rank); i < set.size(); i += static_cast<size_t>(ranks)) {
      mine.add(set[i].id, set[i].detections, set[i].truths);
    }
    return mine;
  };
  CocoEvaluation merged = part(2, 3);
  merged.merge(part(0, 3));
  merged.merge(part(1, 3));
  expect_same_result(merged.result(), wanted);
  EXPECT_THROW(merged.merge(part(1, 3)), std::logic_error);
  EXPECT_THROW(merged.merge(CocoEvaluation(4, CocoShape::kMask)), std::logic_error);
  EXPECT_THROW(merged.merge(CocoEvaluation(5, CocoShape::kBox)), std::logic_error);
  std::mutex mutex;                         // for GoogleTest's expectations in several threads
  for (const int64_t ranks : {1, 3, 40}) {  // some of the 40 ranks have no images
    dist::test::run_ranks(ranks, [&](dist::Group& group) {
      CocoEvaluation mine = part(group.rank(), group.size());
      mine.add_other_ranks(group);
      const CocoResult together = mine.result();
      const std::scoped_lock lock(mutex);
      expect_same_result(together, wanted);
    });
  }
}

constexpr std::array<double, 4> kHere{20, 20, 40, 40};
constexpr std::array<double, 4> kThere{100, 100, 40, 40};

CocoTruth truth_at(const std::array<double, 4>& box, bool crowd = false) {
  return {box, 0, crowd, box[2] * box[3], {}};
}
CocoDetection found_at(const std::array<double, 4>& box, double score) {
  return {box, score, 0, {}};
}

CocoFigures figures_of(const std::vector<ScoredImage>& set) {
  return test::evaluation_of(set, 1, CocoShape::kBox).result().figures;
}

TEST(Coco, PerfectDetectionsGiveOneUpToEpsilon) {
  const CocoFigures figures = figures_of({{1, {found_at(kHere, .9)}, {truth_at(kHere)}}});
  EXPECT_EQ(figures.ap, 0.9999999999999998);
  EXPECT_EQ(figures.ar1, 1);
  EXPECT_TRUE(std::isnan(figures.ap_small));
  EXPECT_EQ(figures.ap_medium, figures.ap);
}

TEST(Coco, NothingFoundIsZeroAndNoTruthsGiveNoFigure) {
  EXPECT_EQ(figures_of({{1, {}, {truth_at(kHere)}}}).ap, 0);  // as in pycocotools
  EXPECT_EQ(figures_of({{1, {}, {truth_at(kHere)}}}).ar100, 0);
  EXPECT_TRUE(std::isnan(figures_of({{1, {found_at(kHere, .9)}, {}}}).ap));
  EXPECT_TRUE(std::isnan(figures_of({}).ar100));
  CocoEvaluation two(2, CocoShape::kBox);
  two.add(1, std::vector{found_at(kHere, .9)},
          std::vector{truth_at(kHere), CocoTruth{kThere, 1, false, 1600, {}}});
  EXPECT_EQ(two.result().categories[1].ap, 0);  // truths, but no detections
  EXPECT_NEAR(two.result().figures.ap, .5, 1e-12);
}

TEST(Coco, OfEqualScoresTheEarlierCountsFirst) {
  const std::vector<CocoTruth> truths{truth_at(kHere)};
  const auto right = found_at(kHere, .5), wrong = found_at(kThere, .5);
  EXPECT_NEAR(figures_of({{1, {right, wrong}, truths}}).ap, 1, 1e-12);
  EXPECT_NEAR(figures_of({{1, {wrong, right}, truths}}).ap, .5, 1e-12);
  EXPECT_NEAR(figures_of({{2, {wrong}, {}}, {1, {right}, truths}}).ap, 1, 1e-12);
  EXPECT_NEAR(figures_of({{1, {wrong}, {}}, {2, {right}, truths}}).ap, .5, 1e-12);
}

TEST(Coco, AnOverlapThatIsTheThresholdMatches) {
  // The overlap is 40 x 20 of 40 x 40 pixels, exactly .5.
  const CocoFigures figures =
      figures_of({{1, {found_at({20, 20, 40, 20}, .9)}, {truth_at(kHere)}}});
  EXPECT_NEAR(figures.ap50, 1, 1e-12);
  EXPECT_NEAR(figures.ap, .1, 1e-12);
}

// A detection that overlaps two truths equally takes the later truth. A next detection that fits
// only the later truth then has no match.
TEST(Coco, TheLaterOfEqualOverlapsIsTaken) {
  const std::array<double, 4> left{20, 20, 40, 40}, right{30, 20, 40, 40}, middle{25, 20, 40, 40};
  const std::array<double, 4> on_right{38, 20, 40, 40}, on_left{12, 20, 40, 40};
  const auto with_second = [&](const std::array<double, 4>& second) {
    return figures_of({{1,
                        {found_at(middle, .9), found_at(second, .8)},
                        {truth_at(left), truth_at(right)}}})
        .ar100;
  };
  EXPECT_GT(with_second(on_left), with_second(on_right));
}

TEST(Coco, CrowdsTakeAnyNumberAndAreNeverMissed) {
  const std::array<double, 4> region{100, 100, 100, 100};
  std::vector<CocoDetection> detections{found_at(kHere, .5)};
  for (int i = 0; i < 5; ++i) detections.push_back(found_at({100., 100. + i, 40, 40}, .9));
  // Each detection lies in the region and covers 16 % of it. It matches a crowd all the same,
  // because the overlap with a crowd is relative to the detection's own area.
  EXPECT_NEAR(figures_of({{1, detections, {truth_at(region, true), truth_at(kHere)}}}).ap, 1,
              1e-12);
  EXPECT_NEAR(figures_of({{1, detections, {truth_at(region), truth_at(kHere)}}}).ap,
              figures_of({{1, detections, {truth_at({0, 0, 5, 5}), truth_at(kHere)}}}).ap, 1e-12);
  EXPECT_LT(figures_of({{1, detections, {truth_at(region), truth_at(kHere)}}}).ap, .2);
}

// The detection overlaps the object by .5 and lies wholly in the crowd. It takes the object if that
// matches at the threshold.
TEST(Coco, AnObjectIsPreferredOverACrowd) {
  const std::vector<CocoTruth> truths{truth_at({0, 0, 200, 200}, true), truth_at(kHere)};
  const CocoFigures figures = figures_of({{1, {found_at({20, 20, 40, 20}, .9)}, truths}});
  EXPECT_NEAR(figures.ap50, 1, 1e-12);
  EXPECT_NEAR(figures.ap75, 0, 1e-12);
}

TEST(Coco, BoundsOfAreasBelongToBothSides) {
  const auto sizes_with = [&](double area) {
    CocoTruth truth = truth_at(kHere);
    truth.area = area;
    const CocoFigures figures = figures_of({{1, {found_at(kHere, .9)}, {truth}}});
    std::string sizes;
    if (!std::isnan(figures.ap_small)) sizes += 's';
    if (!std::isnan(figures.ap_medium)) sizes += 'm';
    if (!std::isnan(figures.ap_large)) sizes += 'l';
    return sizes;
  };
  EXPECT_EQ(sizes_with(0), "s");
  EXPECT_EQ(sizes_with(1023.9), "s");
  EXPECT_EQ(sizes_with(1024), "sm");
  EXPECT_EQ(sizes_with(1024.1), "m");
  EXPECT_EQ(sizes_with(9216), "ml");
  EXPECT_EQ(sizes_with(9216.1), "l");
  EXPECT_EQ(sizes_with(1e10), "l");
  EXPECT_EQ(sizes_with(1.1e10), "");
}

TEST(Coco, AWrongDetectionCountsOnlyInItsOwnRange) {
  const std::array<double, 4> large{0, 0, 150, 150};
  const CocoFigures figures =
      figures_of({{1, {found_at(large, .95), found_at(kHere, .9)}, {truth_at(kHere)}}});
  EXPECT_NEAR(figures.ap, .5, 1e-12);
  EXPECT_NEAR(figures.ap_medium, 1, 1e-12);
}

TEST(Coco, AHundredDetectionsOfACategoryCount) {
  CocoEvaluation evaluation(2, CocoShape::kBox);
  std::vector<CocoDetection> detections;
  for (int i = 0; i < 100; ++i) detections.push_back({kThere, .9, 0, {}});
  detections.push_back({kHere, .8, 0, {}});  // the 101st
  detections.push_back({kHere, .1, 1, {}});  // the first of its category
  const std::vector<CocoTruth> truths{truth_at(kHere), CocoTruth{kHere, 1, false, 1600, {}}};
  evaluation.add(1, detections, truths);
  EXPECT_EQ(evaluation.result().categories[0].ar100, 0);
  EXPECT_EQ(evaluation.result().categories[1].ar1, 1);
  EXPECT_EQ(evaluation.result().detections, 102);
}

// The detection's box is large and its mask small: a mask is judged by its pixels, not by its box.
TEST(Coco, MasksAreJudgedByTheirPixels) {
  CocoTruth truth = truth_at(kHere);
  truth.area = 100;
  truth.mask = test::mask_of_box({20, 20, 10, 10}, 160);
  CocoDetection detection = found_at({0, 0, 150, 150}, .9);
  detection.mask = truth.mask;
  CocoDetection elsewhere = found_at({0, 0, 10, 10}, .95);
  elsewhere.mask = test::mask_of_box({50, 50, 100, 100}, 160);
  CocoEvaluation masks(1, CocoShape::kMask);
  masks.add(1, std::vector{detection, elsewhere}, std::vector{truth});
  EXPECT_NEAR(masks.result().figures.ap_small, 1, 1e-12);
  EXPECT_NEAR(masks.result().figures.ap, .5, 1e-12);
  const CocoFigures boxes = figures_of({{1, {detection, elsewhere}, {truth}}});
  EXPECT_EQ(boxes.ap_small, 0);
}

TEST(Coco, BadInputIsRefusedAndLeavesNothing) {
  const double kNotANumber = std::nan(""), kInfinity = std::numeric_limits<double>::infinity();
  CocoEvaluation boxes(1, CocoShape::kBox), masks(1, CocoShape::kMask);
  const std::vector<CocoTruth> truths{truth_at(kHere)};
  const auto refusal = [&](CocoEvaluation& evaluation, const CocoDetection& detection,
                           const std::vector<CocoTruth>& with) {
    return test::error_of(ExitCode::kData, [&] {
      evaluation.add(7, std::vector{found_at(kHere, .5), detection}, with);
    });
  };
  EXPECT_EQ(refusal(boxes, found_at(kHere, kNotANumber), truths),
            "image 7: the score of detection 1 is nan, expected a finite number");
  EXPECT_NE(refusal(boxes, found_at(kHere, kInfinity), truths), "");
  EXPECT_EQ(
      refusal(boxes, found_at({1, 2, -3, 4}, .5), truths),
      "image 7: the box of detection 1 is (1, 2, -3, 4), expected finite numbers and sides of 0 "
      "or more");
  EXPECT_NE(refusal(boxes, found_at({1, kNotANumber, 3, 4}, .5), truths), "");
  CocoTruth bad = truth_at(kHere);
  bad.area = -1;
  EXPECT_EQ(refusal(boxes, found_at(kHere, .5), {bad}),
            "image 7: the area of truth 0 is -1, expected a finite number of 0 or more");
  EXPECT_EQ(refusal(masks, found_at(kHere, .5), truths),
            "image 7: detection 0 has no mask, but masks are evaluated");
  CocoDetection of_other_size = found_at(kHere, .5);
  of_other_size.mask = image::empty_mask(3, 5);
  CocoTruth with_mask = truth_at(kHere);
  with_mask.mask = image::empty_mask(5, 3);
  EXPECT_EQ(
      test::error_of(ExitCode::kData,
                     [&] { masks.add(7, std::vector{of_other_size}, std::vector{with_mask}); }),
      "image 7: a mask of 3 x 5 pixels meets one of 5 x 3: they are of different images");
  EXPECT_EQ(boxes.result().images, 0);
  EXPECT_EQ(boxes.result().detections, 0);
  CocoDetection unknown = found_at(kHere, .5);
  unknown.category = 1;
  EXPECT_THROW(boxes.add(7, std::vector{unknown}, truths), std::logic_error);
  boxes.add(7, {}, truths);
  EXPECT_THROW(boxes.add(7, {}, truths), std::logic_error);
  EXPECT_THROW(CocoEvaluation(0, CocoShape::kBox), std::logic_error);
}

TEST(Coco, PercentsHaveTheNamesOfTheField) {
  CocoFigures figures;
  figures.ap = .532;
  const nlohmann::json percents = coco_percents(figures);
  EXPECT_EQ(percents.size(), 12U);
  EXPECT_DOUBLE_EQ(percents.at("AP"), 53.2);
  EXPECT_TRUE(percents.at("ARl").is_null());
}

}  // namespace
}  // namespace fcm::eval
