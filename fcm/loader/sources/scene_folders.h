// Finds images and their class maps in a folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct SceneFolders {
  std::filesystem::path images, maps;  // maps: empty if the split has no maps
  LeftOut beside;                      // other entries, except files of class names
  std::vector<std::string> warnings;   // about folders that could be meant as well
};

// Finds a folder of images (images, image, imgs, img, pictures or photos, in any letter case)
// beside a folder of maps (annotations, labels, masks or maps). The first must contain an image and
// the second a PNG, directly or in split folders (split_folders.h). The two folders may also be
// inside each split folder of `folder`. Returns the folders of `split`; nullopt if `folder` has no
// such pair. Throws Error(kData) if only the other split has images.
std::optional<SceneFolders> scene_folders_in(const std::filesystem::path& folder, Split split);

// Whether `folder` has images beside maps: for any split, or for `split`.
bool holds_scenes(const std::filesystem::path& folder);
bool holds_scenes(const std::filesystem::path& folder, Split split);

// The images, sorted by name, each with the map of the same stem: X.jpg and X.png. The class names
// are read from `folder` (map_classes.h). Images have no labels. A note reports images without a
// map, and class_map throws for them. Maps without an image are skipped and counted.
std::unique_ptr<Dataset> open_scene_folders(const std::filesystem::path& folder,
                                            const SceneFolders& places);

}  // namespace fcm::loader
