// Names and colours of the classes of maps, from files that lie beside the pictures.
#pragma once

#include <filesystem>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// The first that there is of, in `folder`:
//   objectInfo150.txt  as ADE20K ships it: columns between tabs under a heading, of which Name is
//                      read up to its first comma or semicolon
//   classes.json       {"names": [...], "colours": [[r, g, b], ...]}, the colours left out or also
//                      called "colors" or "palette"; or the list of names alone
//   classes.txt        a name a line
// Nothing where there is none. A file that cannot be used is noted, for pictures and their maps
// need no names.
MapClasses read_map_classes(const std::filesystem::path& folder, Remarks& remarks);

}  // namespace fcm::loader
