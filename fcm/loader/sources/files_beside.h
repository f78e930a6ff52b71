// What lies in a folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "fcm/loader/remarks.h"

namespace fcm::loader {

// Calls see(entry, name) for all that lies in the folder, in no order, but for what is hidden,
// which goes to `left_out`. Returns why not everything could be listed.
std::error_code for_each_visible(
    const std::filesystem::path& folder, LeftOut& left_out,
    const std::function<void(const std::filesystem::directory_entry&, const std::string&)>& see);

// What lies beside the files of a kind that takes its own by name: everything in the folder for
// whose name `is_ours` is false. Nothing where it cannot be listed.
LeftOut files_beside(const std::filesystem::path& folder,
                     const std::function<bool(const std::string&)>& is_ours);

}  // namespace fcm::loader
