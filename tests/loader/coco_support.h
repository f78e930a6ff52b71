// Writes small COCO sets for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/image/codec_support.h"
#include "tests/loader/support.h"

namespace fcm::test {

using CocoTree = nlohmann::json;

inline CocoTree coco_image(int64_t id, int64_t rows, int64_t cols) {
  return {{"id", id}, {"height", rows}, {"width", cols}, {"file_name", fmt::format("{}.jpg", id)}};
}

// An annotation whose outline is a square of 10 x 10 pixels at (10, 10).
inline CocoTree coco_square(int64_t id, int64_t image, int64_t category, int64_t crowd = 0) {
  return {{"id", id},
          {"image_id", image},
          {"category_id", category},
          {"iscrowd", crowd},
          {"bbox", {10, 10, 10, 10}},
          {"area", 100.5},
          {"segmentation", {{10, 10, 20, 10, 20, 20, 10, 20}}}};
}

// A set of the images with the ids 3 (40 x 60), 5 (60 x 40) and 9 (32 x 48, with only a crowd), and
// the categories with the ids 2, 7 and 90. All lists are unsorted.
inline CocoTree small_coco() {
  CocoTree tree;
  tree["info"] = {{"year", 2017}, {"more", {1, {{"deep", nullptr}}}}};
  tree["images"] = {coco_image(5, 60, 40), coco_image(3, 40, 60), coco_image(9, 32, 48)};
  tree["categories"] = {{{"id", 90}, {"name", "brush"}},
                        {{"id", 2}, {"name", "cat"}, {"supercategory", "animal"}},
                        {{"id", 7}, {"name", "dog"}}};
  CocoTree crowd = coco_square(31, 9, 7, 1);
  crowd["segmentation"] = {{"size", {32, 48}}, {"counts", {320, 10, 1206}}};
  CocoTree mask = coco_square(32, 5, 90);
  mask["segmentation"] = {{"size", {60, 40}},
                          {"counts", image::run_lengths_text({60, 40, {600, 60, 1740}})}};
  tree["annotations"] = {coco_square(11, 3, 7), crowd, coco_square(12, 5, 2), mask,
                         coco_square(13, 3, 90)};
  return tree;
}

inline std::string jpeg_text(const image::Image& image) {
  const std::vector<uint8_t> bytes = encode_jpeg(image);
  return {bytes.begin(), bytes.end()};
}

// A JPEG with EXIF orientation 6, as from a rotated camera: the first stored row is the right
// column of the upright image.
inline std::string lying_jpeg_text(const image::Image& image) {
  const std::string exif(
      "\xFF\xE1\0\x22"
      "Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
      36);
  return jpeg_text(image).insert(2, exif);
}

// Writes the annotations and the images of a split.
inline void write_small_coco(const Scratch& folder, const CocoTree& tree = small_coco(),
                             const std::string& split = "train2017") {
  folder.write("annotations/instances_" + split + ".json", tree.dump());
  for (const CocoTree& image : tree.at("images")) {
    folder.write(split + "/" + image.at("file_name").get<std::string>(),
                 jpeg_text(scene(image.at("height"), image.at("width"), image.at("id"))));
  }
}

}  // namespace fcm::test
