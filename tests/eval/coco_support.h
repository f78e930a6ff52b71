// Synthetic detections, and COCO's evaluation in its plain form: a slow, direct implementation.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "fcm/base/random.h"
#include "fcm/eval/coco.h"

namespace fcm::test {

struct ScoredImage {
  int64_t id = 0;
  std::vector<eval::CocoDetection> detections;
  std::vector<eval::CocoTruth> truths;
};

struct CocoSetOptions {
  int64_t images = 12;
  int64_t categories = 4;
  int64_t side = 160;  // of an image, in pixels
  uint64_t most_truths = 6, most_extra = 8;
  bool masks = false;
};

inline image::RunLengths mask_of_box(const std::array<double, 4>& box, int64_t side) {
  std::vector<uint8_t> bytes(static_cast<size_t>(side * side));
  for (auto row = static_cast<int64_t>(box[1]); row < static_cast<int64_t>(box[1] + box[3]);
       ++row) {
    for (auto col = static_cast<int64_t>(box[0]); col < static_cast<int64_t>(box[0] + box[2]);
         ++col) {
      bytes[static_cast<size_t>(row * side + col)] = 1;
    }
  }
  return image::encode_mask(bytes, side, side);
}

// A box inside the image. Its values are integers, so that equal overlaps and areas that lie on a
// bound are common.
inline std::array<double, 4> synthetic_box(KeyedRandom& random, int64_t side) {
  static constexpr uint64_t kSides[] = {8, 16, 31, 32, 33, 48, 96, 97};
  const uint64_t width = kSides[random.below(8)], height = kSides[random.below(8)];
  const auto whole = static_cast<uint64_t>(side);
  return {static_cast<double>(random.below(whole - width)),
          static_cast<double>(random.below(whole - height)), static_cast<double>(width),
          static_cast<double>(height)};
}

inline std::array<double, 4> shifted_box(std::array<double, 4> box, KeyedRandom& random,
                                         int64_t side) {
  for (size_t axis = 0; axis < 2; ++axis) {
    box[axis] += static_cast<double>(random.below(9)) - 4;
    box[axis] = std::clamp(box[axis], 0.0, static_cast<double>(side) - box[axis + 2]);
  }
  return box;
}

inline double synthetic_score(KeyedRandom& random) {
  return static_cast<double>(1 + random.below(20)) / 20;
}

// Images with truths, some of which are close to each other or crowds, and with detections near
// truths or anywhere. Scores have few distinct values. Some images have no truths or no detections.
inline std::vector<ScoredImage> synthetic_coco_set(const CocoSetOptions& options, uint64_t number) {
  std::vector<ScoredImage> set;
  for (int64_t i = 0; i < options.images; ++i) {
    KeyedRandom random(number, Purpose::kSynthetic, 1, static_cast<uint64_t>(i));
    ScoredImage image;
    image.id = (i * 7919) % 1009;
    const uint64_t truths = random.below(options.most_truths + 1);
    const auto any_category = [&] {
      return static_cast<int64_t>(random.below(static_cast<uint64_t>(options.categories)));
    };
    for (uint64_t t = 0; t < truths; ++t) {
      eval::CocoTruth truth;
      truth.box = t > 0 && random.below(3) == 0
                      ? shifted_box(image.truths.back().box, random, options.side)
                      : synthetic_box(random, options.side);
      truth.category = any_category();
      truth.crowd = random.below(6) == 0;
      truth.area = truth.box[2] * truth.box[3] * (random.below(4) == 0 ? .9 : 1);
      for (uint64_t d = random.below(4); d > 0; --d) {
        image.detections.push_back({shifted_box(truth.box, random, options.side),
                                    synthetic_score(random),
                                    random.below(8) == 0 ? any_category() : truth.category,
                                    {}});
      }
      image.truths.push_back(std::move(truth));
    }
    for (uint64_t d = random.below(options.most_extra + 1); d > 0; --d) {
      image.detections.push_back(
          {synthetic_box(random, options.side), synthetic_score(random), any_category(), {}});
    }
    if (options.masks) {
      for (eval::CocoTruth& one : image.truths) one.mask = mask_of_box(one.box, options.side);
      for (eval::CocoDetection& one : image.detections)
        one.mask = mask_of_box(one.box, options.side);
    }
    set.push_back(std::move(image));
  }
  return set;
}

inline eval::CocoEvaluation evaluation_of(const std::vector<ScoredImage>& set, int64_t categories,
                                          eval::CocoShape shape) {
  eval::CocoEvaluation evaluation(categories, shape);
  for (const ScoredImage& one : set) evaluation.add(one.id, one.detections, one.truths);
  return evaluation;
}

// COCO's evaluation step by step as pycocotools does it, for one threshold and one area range at a
// time. Shares only types and the decoding of masks with the code under test.
class PlainCoco {
 public:
  PlainCoco(std::vector<ScoredImage> set, eval::CocoShape shape)
      : set_(std::move(set)), shape_(shape) {
    std::ranges::sort(set_, {}, &ScoredImage::id);
  }

  struct Figures {
    std::vector<double> precision;  // at 101 recalls; empty if there are no truths
    double recall = 0;
  };
  Figures figures(int64_t category, size_t range, double threshold, size_t most) const {
    std::vector<Outcome> all;
    int64_t truths = 0;
    for (const ScoredImage& image : set_) {
      match(image, category, range, threshold, most, all, truths);
    }
    if (truths == 0) return {};
    std::ranges::stable_sort(all, [](auto& a, auto& b) { return a.score > b.score; });
    std::vector<double> recalls, precisions;
    double right = 0, wrong = 0;
    for (const Outcome& one : all) {
      right += one.matched && !one.ignored;
      wrong += !one.matched && !one.ignored;
      recalls.push_back(right / static_cast<double>(truths));
      precisions.push_back(right / (right + wrong + 0x1p-52));
    }
    for (size_t i = precisions.size(); i > 1; --i) {
      precisions[i - 2] = std::max(precisions[i - 2], precisions[i - 1]);
    }
    Figures made{std::vector<double>(101), recalls.empty() ? 0 : recalls.back()};
    for (size_t i = 0; i <= 100; ++i) {
      const double recall = i == 100 ? 1 : static_cast<double>(i) * .01;
      const auto place =
          static_cast<size_t>(std::ranges::lower_bound(recalls, recall) - recalls.begin());
      made.precision[i] = place < precisions.size() ? precisions[place] : 0;
    }
    return made;
  }

 private:
  struct Outcome {
    double score;
    bool matched, ignored;
  };
  static bool outside(double area, size_t range) {
    static constexpr double kLow[] = {0, 0, 1024, 9216}, kHigh[] = {1e10, 1024, 9216, 1e10};
    return area < kLow[range] || area > kHigh[range];
  }
  double area_of(const eval::CocoDetection& one) const {
    if (shape_ == eval::CocoShape::kBox) return one.box[2] * one.box[3];
    const std::vector<uint8_t> bytes = image::decode_mask(*one.mask);
    return static_cast<double>(std::ranges::count(bytes, 1));
  }
  double overlap(const eval::CocoDetection& one, const eval::CocoTruth& truth) const {
    double shared = 0, own = 0, other = 0;
    if (shape_ == eval::CocoShape::kBox) {
      const double width = std::min(one.box[0] + one.box[2], truth.box[0] + truth.box[2]) -
                           std::max(one.box[0], truth.box[0]);
      const double height = std::min(one.box[1] + one.box[3], truth.box[1] + truth.box[3]) -
                            std::max(one.box[1], truth.box[1]);
      shared = width > 0 && height > 0 ? width * height : 0;
      own = one.box[2] * one.box[3], other = truth.box[2] * truth.box[3];
    } else {
      const std::vector<uint8_t> mine = image::decode_mask(*one.mask),
                                 theirs = image::decode_mask(*truth.mask);
      for (size_t i = 0; i < mine.size(); ++i) {
        shared += mine[i] & theirs[i], own += mine[i], other += theirs[i];
      }
    }
    return shared == 0 ? 0 : shared / (truth.crowd ? own : own + other - shared);
  }

  void match(const ScoredImage& image, int64_t category, size_t range, double threshold,
             size_t most, std::vector<Outcome>& all, int64_t& count) const {
    std::vector<const eval::CocoTruth*> truths;
    std::vector<bool> ignored;
    for (const bool last : {false, true}) {
      for (const eval::CocoTruth& one : image.truths) {
        const bool out = one.crowd || outside(one.area, range);
        if (one.category != category || out != last) continue;
        truths.push_back(&one);
        ignored.push_back(out);
        count += out ? 0 : 1;
      }
    }
    std::vector<const eval::CocoDetection*> detections;
    for (const eval::CocoDetection& one : image.detections) {
      if (one.category == category) detections.push_back(&one);
    }
    std::ranges::stable_sort(detections, [](auto* a, auto* b) { return a->score > b->score; });
    if (detections.size() > most) detections.resize(most);
    std::vector<bool> taken(truths.size());
    for (const eval::CocoDetection* one : detections) {
      int best = -1;
      double least = std::min(threshold, 1 - 1e-10);
      for (size_t t = 0; t < truths.size(); ++t) {
        if (taken[t] && !truths[t]->crowd) continue;
        if (best >= 0 && !ignored[static_cast<size_t>(best)] && ignored[t]) break;
        const double iou = overlap(*one, *truths[t]);
        if (iou < least) continue;
        least = iou;
        best = static_cast<int>(t);
      }
      const bool matched = best >= 0;
      if (matched) taken[static_cast<size_t>(best)] = true;
      all.push_back({one->score, matched,
                     matched ? ignored[static_cast<size_t>(best)] : outside(area_of(*one), range)});
    }
  }

  std::vector<ScoredImage> set_;
  eval::CocoShape shape_;
};

}  // namespace fcm::test
