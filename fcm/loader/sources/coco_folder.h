// A folder of images with COCO annotations.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct CocoPaths {
  std::filesystem::path annotations, images;  // the JSON file; the folder of images
};

// For training folder/annotations/instances_train2017.json and folder/train2017, for validation
// instances_val2017.json and val2017; or the same names without "2017". nullopt if `folder` has no
// such file; throws Error(kData) if it has one only for the other split.
std::optional<CocoPaths> coco_paths_in(const std::filesystem::path& folder, Split split);

// Whether such a file exists: for any split, or for `split`.
bool holds_coco(const std::filesystem::path& folder);
bool holds_coco(const std::filesystem::path& folder, Split split);

// The recorded images in the order of their ids, rotated by their EXIF orientation. An image that
// is missing, or of another size than recorded, is unreadable. There are no labels.
std::unique_ptr<Dataset> open_coco_folder(const std::filesystem::path& folder,
                                          const CocoPaths& paths);

}  // namespace fcm::loader
