// Which tar files --data means.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// Sorted *.tar of a folder that are the split, by their names (splits_by_name). The remarks say
// which are held out, and count what else lies there.
std::vector<std::filesystem::path> shards_in(const std::filesystem::path& folder, Split split,
                                             Remarks& remarks);

// The same of a folder that is one split: all of them.
std::vector<std::filesystem::path> all_shards_in(const std::filesystem::path& folder,
                                                 Remarks& remarks);

// "x-{000000..000009}.tar" to ten names, with the digits of the first number; several ranges give
// every combination. Throws Error(kData) for what is no range, or for more than 100,000 names.
std::vector<std::filesystem::path> expand_ranges(const std::string& pattern);

}  // namespace fcm::loader
