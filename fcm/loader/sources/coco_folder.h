// Pictures with COCO's annotations, where they lie in a folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct CocoPlaces {
  std::filesystem::path annotations, pictures;  // a file and a folder
};

// folder/annotations/instances_train2017.json beside folder/train2017, instances_val2017.json
// beside val2017; or the same without "2017". None where `folder` has no such file; Error(kData)
// where it has, and none of `split`.
std::optional<CocoPlaces> coco_places_in(const std::filesystem::path& folder, Split split);

// The same question without the fault.
bool holds_coco(const std::filesystem::path& folder);
bool holds_coco(const std::filesystem::path& folder, Split split);

// The pictures that the file records, in the order of their ids, turned as EXIF says; one that is
// not in the folder, or of another size than recorded, is one that cannot be read. Labels they have
// none.
std::unique_ptr<Dataset> open_coco_folder(const std::filesystem::path& folder,
                                          const CocoPlaces& places);

}  // namespace fcm::loader
