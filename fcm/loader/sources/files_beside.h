// What lies in a folder beside the files of a kind that takes its own by name.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "fcm/loader/remarks.h"

namespace fcm::loader {

// Everything in the folder for whose name `is_ours` is false. Nothing where it cannot be listed.
LeftOut files_beside(const std::filesystem::path& folder,
                     const std::function<bool(const std::string&)>& is_ours);

}  // namespace fcm::loader
