// Where pictures and their maps of classes lie in a folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

struct SceneFolders {
  std::filesystem::path pictures, maps;  // maps: empty where the split has none
  LeftOut beside;                        // what is neither of them, nor names of classes
};

// A folder of pictures (images, image, imgs, img, pictures or photos, in any case) beside one of
// maps (annotations, labels, masks or maps), if there are pictures in the former and a PNG in the
// latter, directly or in folders of the splits (split_folders.h), of which that of `split` is
// meant. Or folders of the splits that each hold two such folders. None where `folder` is nothing
// of that kind; Error(kData) where it is, and has pictures of the other split alone.
std::optional<SceneFolders> scene_folders_in(const std::filesystem::path& folder, Split split);

// The same question without the fault.
bool holds_scenes(const std::filesystem::path& folder);
bool holds_scenes(const std::filesystem::path& folder, Split split);

// The pictures, by name, with the maps of equal stem: X.jpg and X.png. Names of the classes lie in
// `folder` (map_classes.h). Pictures have no labels. One without a map is noted, and told by
// class_map; maps without a picture are left out.
std::unique_ptr<Dataset> open_scene_folders(const std::filesystem::path& folder,
                                            const SceneFolders& places);

}  // namespace fcm::loader
