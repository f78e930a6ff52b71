// Finds images and their class maps in a folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct SceneFolders {
  std::filesystem::path images, maps;  // maps: empty if the split has none
  LeftOut beside;                      // everything else, except files of class names
  std::vector<std::string> warnings;   // several folders could be meant
};

// A folder of images (images, image, imgs, img, pictures or photos, in any letter case) beside one
// of maps (annotations, labels, masks or maps). The former must contain images and the latter a
// PNG, directly or in split folders (split_folders.h); then that of `split` is returned. Or split
// folders that each contain two such folders. nullopt if `folder` is not of this kind. Throws
// Error(kData) if it is, but has images only of the other split.
std::optional<SceneFolders> scene_folders_in(const std::filesystem::path& folder, Split split);

// Whether `folder` is of this kind, for any split or for `split`.
bool holds_scenes(const std::filesystem::path& folder);
bool holds_scenes(const std::filesystem::path& folder, Split split);

// The images, sorted by name, each with the map of the same stem: X.jpg and X.png. The class names
// are read from `folder` (map_classes.h). Images have no labels. An image without a map is noted,
// and class_map throws for it. Maps without an image are skipped and counted.
std::unique_ptr<Dataset> open_scene_folders(const std::filesystem::path& folder,
                                            const SceneFolders& places);

}  // namespace fcm::loader
