#include "fcm/eval/coco.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

bool is_box(const std::array<double, 4>& box) {
  return std::ranges::all_of(box, [](double value) { return std::isfinite(value); }) &&
         box[2] >= 0 && box[3] >= 0;
}

void check_box(const char* what, size_t number, const std::array<double, 4>& box) {
  if (is_box(box)) return;
  fail(ExitCode::kData,
       "the box of {} {} is ({}, {}, {}, {}), expected finite numbers and sides of 0 or more", what,
       number, box[0], box[1], box[2], box[3]);
}

// Pointers sorted by ascending category; within a category by `before`, stably.
template <class Thing, class Before>
std::vector<const Thing*> sorted_by_category(std::span<const Thing> things, const Before& before) {
  std::vector<const Thing*> sorted;
  sorted.reserve(things.size());
  for (const Thing& one : things) sorted.push_back(&one);
  std::ranges::stable_sort(sorted, [&](const Thing* one, const Thing* other) {
    return one->category != other->category ? one->category < other->category
                                            : before(*one, *other);
  });
  return sorted;
}

// Removes the entries of one category from the front of `sorted` and returns them.
template <class Thing>
std::span<const Thing* const> take_category(std::span<const Thing* const>& sorted,
                                            int64_t category) {
  size_t count = 0;
  while (count < sorted.size() && sorted[count]->category == category) ++count;
  const auto taken = sorted.first(count);
  sorted = sorted.subspan(count);
  return taken;
}

std::vector<double> ious_of_boxes(std::span<const CocoDetection* const> detections_D,
                                  std::span<const CocoTruth* const> truths_T) {
  std::vector<double> ious_DT;
  ious_DT.reserve(detections_D.size() * truths_T.size());
  for (const CocoDetection* detection : detections_D) {
    for (const CocoTruth* truth : truths_T) {
      ious_DT.push_back(box_iou(detection->box, truth->box, truth->crowd));
    }
  }
  return ious_DT;
}

template <class Thing>
std::vector<const image::RunLengths*> masks_of(std::span<const Thing* const> things) {
  std::vector<const image::RunLengths*> masks;
  for (const Thing* one : things) masks.push_back(&*one->mask);
  return masks;
}

std::vector<double> ious_of_masks(std::span<const CocoDetection* const> detections_D,
                                  std::span<const CocoTruth* const> truths_T) {
  std::vector<uint8_t> crowd_T;
  for (const CocoTruth* truth : truths_T) crowd_T.push_back(truth->crowd ? 1 : 0);
  return image::mask_ious(masks_of(detections_D), masks_of(truths_T), crowd_T);
}

}  // namespace

CocoEvaluation::CocoEvaluation(int64_t categories, CocoShape shape) : shape_(shape) {
  require(categories >= 1, "expected at least 1 category of detections, got {}", categories);
  categories_.resize(static_cast<size_t>(categories));
}

void CocoEvaluation::check(std::span<const CocoDetection> detections,
                           std::span<const CocoTruth> truths) const {
  const auto check_category = [&](int64_t category) {
    require(category >= 0 && category < std::ssize(categories_),
            "got category {}, expected 0 to {}", category, categories_.size() - 1);
  };
  const auto check_mask = [&](const char* what, size_t number, const auto& thing) {
    if (shape_ == CocoShape::kMask && !thing.mask) {
      fail(ExitCode::kData, "{} {} has no mask, but masks are evaluated", what, number);
    }
  };
  for (size_t d = 0; d < detections.size(); ++d) {
    check_category(detections[d].category);
    if (!std::isfinite(detections[d].score)) {
      fail(ExitCode::kData, "the score of detection {} is {}, expected a finite number", d,
           detections[d].score);
    }
    check_box("detection", d, detections[d].box);
    check_mask("detection", d, detections[d]);
  }
  for (size_t t = 0; t < truths.size(); ++t) {
    check_category(truths[t].category);
    if (!(truths[t].area >= 0 && std::isfinite(truths[t].area))) {
      fail(ExitCode::kData, "the area of truth {} is {}, expected a finite number of 0 or more", t,
           truths[t].area);
    }
    check_box("truth", t, truths[t].box);
    check_mask("truth", t, truths[t]);
  }
}

CocoEvaluation::Addition CocoEvaluation::addition_of(
    int64_t category, std::span<const CocoDetection* const> by_score,
    std::span<const CocoTruth* const> truths) const {
  by_score = by_score.first(std::min(by_score.size(), size_t{kMostCocoDetections}));
  const bool masks = shape_ == CocoShape::kMask;
  std::vector<ScoredArea> detections_D;
  for (const CocoDetection* one : by_score) {
    detections_D.push_back({one->score, masks ? static_cast<double>(image::mask_area(*one->mask))
                                              : one->box[2] * one->box[3]});
  }
  std::vector<TruthArea> truths_T;
  Addition added{category, {}, {}};
  for (const CocoTruth* one : truths) {
    truths_T.push_back({one->area, one->crowd});
    for (int64_t range = 0; range < kCocoAreas; ++range) {
      const bool counts = !one->crowd && is_in(static_cast<CocoArea>(range), one->area);
      added.truths[static_cast<size_t>(range)] += counts ? 1 : 0;
    }
  }
  added.outcomes =
      match_detections(detections_D, truths_T,
                       masks ? ious_of_masks(by_score, truths) : ious_of_boxes(by_score, truths));
  return added;
}

std::vector<CocoEvaluation::Addition> CocoEvaluation::additions_of(
    std::span<const CocoDetection> detections, std::span<const CocoTruth> truths) const {
  check(detections, truths);
  const auto by_score = sorted_by_category(
      detections,
      [](const CocoDetection& one, const CocoDetection& other) { return one.score > other.score; });
  const auto in_order =
      sorted_by_category(truths, [](const CocoTruth&, const CocoTruth&) { return false; });
  std::span<const CocoDetection* const> left_D = by_score;
  std::span<const CocoTruth* const> left_T = in_order;
  std::vector<Addition> additions;
  while (!left_D.empty() || !left_T.empty()) {
    const int64_t category = left_D.empty()   ? left_T[0]->category
                             : left_T.empty() ? left_D[0]->category
                                              : std::min(left_D[0]->category, left_T[0]->category);
    const auto own_D = take_category(left_D, category);
    additions.push_back(addition_of(category, own_D, take_category(left_T, category)));
  }
  return additions;
}

void CocoEvaluation::add(int64_t image, std::span<const CocoDetection> detections,
                         std::span<const CocoTruth> truths) {
  require(!images_.contains(image), "image {} is added twice", image);
  std::vector<Addition> additions;
  try {
    additions = additions_of(detections, truths);
  } catch (const Error& error) {
    fail(error.code(), "image {}: {}", image, error.what());
  }
  for (const Addition& added : additions) {
    OfCategory& category = categories_[static_cast<size_t>(added.category)];
    for (size_t range = 0; range < category.truths.size(); ++range) {
      category.truths[range] += added.truths[range];
    }
    if (added.outcomes.empty()) continue;
    category.images.push_back({image, std::ssize(added.outcomes)});
    category.outcomes.insert(category.outcomes.end(), added.outcomes.begin(), added.outcomes.end());
  }
  images_.insert(image);
  detections_ += std::ssize(detections);
}

}  // namespace fcm::eval
