// result.json in a folder that a measuring command names with --out.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace fcm::tasks {

// A result of this program is replaced by the next one; somebody else's result.json is not, nor a
// confusion.png without a result beside it. Throws Error(kUsage) where one of these is in the way:
// asked before anything is measured.
void refuse_foreign_result(const std::filesystem::path& folder);

// Creates the folder where it is missing. Throws Error(kUsage) as above and where the system
// refuses.
void write_result(const std::filesystem::path& folder, const nlohmann::json& result);

}  // namespace fcm::tasks
