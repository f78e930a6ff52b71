// Names and colours of the classes of class maps, from files beside the images.
#pragma once

#include <filesystem>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// Reads the first of these files that exists in `folder`:
//   objectInfo150.txt  as shipped with ADE20K: tab-separated columns with a heading; the column
//                      Name is read up to its first comma or semicolon
//   classes.json       {"names": [...], "colours": [[r, g, b], ...]}; the colours are optional and
//                      may be called "colors" or "palette". Or only the list of names
//   classes.txt        one name per line
// Empty if none exists. An unusable file only adds a note, since images and maps need no names.
MapClasses read_map_classes(const std::filesystem::path& folder, Remarks& remarks);

}  // namespace fcm::loader
