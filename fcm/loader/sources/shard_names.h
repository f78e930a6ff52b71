// Finds the tar files that --data refers to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// The *.tar files of a folder that belong to the split by their names (splits_by_name), sorted. A
// note says which are held out for validation; other files are counted in the remarks.
std::vector<std::filesystem::path> shards_in(const std::filesystem::path& folder, Split split,
                                             Remarks& remarks);

// All *.tar files of a folder, sorted; other files are counted in the remarks.
std::vector<std::filesystem::path> all_shards_in(const std::filesystem::path& folder,
                                                 Remarks& remarks);

// Expands "x-{000000..000009}.tar" to ten names, whose numbers have as many digits as the first
// number of the range. Several ranges give every combination. Throws Error(kData) for an invalid
// range or more than 100,000 names.
std::vector<std::filesystem::path> expand_ranges(const std::string& pattern);

}  // namespace fcm::loader
