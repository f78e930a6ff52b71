// Reads stored ground truth in COCO's format, and evaluates results on it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/eval/coco.h"
#include "fcm/eval/coco_results.h"
#include "fcm/image/polygon_raster.h"

namespace fcm::test {

struct CocoSet {
  std::vector<int64_t> categories;                         // ids, ascending
  std::map<int64_t, std::vector<eval::CocoTruth>> truths;  // by image; every image has an entry

  // The index of a category; -1 if the set does not have it.
  int64_t place_of(int64_t category) const {
    const auto found = std::ranges::lower_bound(categories, category);
    return found == categories.end() || *found != category ? -1 : found - categories.begin();
  }
};

inline image::RunLengths coco_mask(const nlohmann::json& segmentation, int64_t rows, int64_t cols) {
  if (segmentation.is_array()) {
    return image::raster_polygons(segmentation.get<std::vector<std::vector<double>>>(), rows, cols);
  }
  const nlohmann::json& counts = segmentation.at("counts");
  if (counts.is_string()) return image::parse_run_lengths(counts.get<std::string>(), rows, cols);
  return image::run_lengths_of_counts(counts.get<std::vector<int64_t>>(), rows, cols);
}

inline CocoSet coco_set(const nlohmann::json& stored) {
  CocoSet set;
  for (const auto& one : stored.at("categories")) set.categories.push_back(one.at("id"));
  std::ranges::sort(set.categories);
  std::map<int64_t, std::pair<int64_t, int64_t>> sizes;
  for (const auto& one : stored.at("images")) {
    set.truths[one.at("id")];
    sizes[one.at("id")] = {one.at("height"), one.at("width")};
  }
  for (const auto& one : stored.at("annotations")) {
    const auto& [rows, cols] = sizes.at(one.at("image_id"));
    eval::CocoTruth truth;
    truth.box = one.at("bbox");
    truth.category = set.place_of(one.at("category_id"));
    truth.crowd = one.at("iscrowd") == 1;
    truth.area = one.at("area");
    truth.mask = coco_mask(one.at("segmentation"), rows, cols);
    set.truths.at(one.at("image_id")).push_back(std::move(truth));
  }
  return set;
}

// Results of categories that the set does not have are ignored.
inline eval::CocoEvaluation evaluated(const CocoSet& set,
                                      const std::vector<eval::CocoEntry>& results,
                                      eval::CocoShape shape) {
  std::map<int64_t, std::vector<eval::CocoDetection>> detections;
  for (const eval::CocoEntry& one : results) {
    const int64_t category = set.place_of(one.category_id);
    if (category < 0) continue;
    detections[one.image_id].push_back(
        {one.box.value_or(std::array<double, 4>{}), one.score, category, one.mask});
  }
  eval::CocoEvaluation evaluation(std::ssize(set.categories), shape);
  for (const auto& [image, truths] : set.truths) {
    evaluation.add(image, detections[image], truths);
  }
  return evaluation;
}

}  // namespace fcm::test
