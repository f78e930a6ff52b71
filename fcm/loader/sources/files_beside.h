// Lists the entries of a folder, and counts those that a kind of data does not use.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "fcm/loader/remarks.h"

namespace fcm::loader {

// Calls see(entry, name) for every visible entry of the folder, in no particular order; hidden
// entries are counted in `left_out`. Returns the error if listing failed.
std::error_code for_each_visible(
    const std::filesystem::path& folder, LeftOut& left_out,
    const std::function<void(const std::filesystem::directory_entry&, const std::string&)>& see);

// Counts the entries of the folder for whose name `is_ours` is false. Empty if the folder cannot be
// listed.
LeftOut files_beside(const std::filesystem::path& folder,
                     const std::function<bool(const std::string&)>& is_ours);

}  // namespace fcm::loader
