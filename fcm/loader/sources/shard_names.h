// Which tar files --data means.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// Sorted *.tar of a folder. If the names of some hold "val" or "test" and those of others do not,
// the former are the validation split and the latter the training split; otherwise all are both.
std::vector<std::filesystem::path> shards_in(const std::filesystem::path& folder, Split split);

// "x-{000000..000009}.tar" to ten names, with the digits of the first number; several ranges give
// every combination. Throws Error(kData) for what is no range, or for more than 100,000 names.
std::vector<std::filesystem::path> expand_ranges(const std::string& pattern);

}  // namespace fcm::loader
