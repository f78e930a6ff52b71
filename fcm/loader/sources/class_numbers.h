// Classes that are given as numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// A decimal number below 100,000; none for anything else.
std::optional<int32_t> label_from_text(std::string_view text);

// Names of the classes 0 .. largest: the lines of classes.txt in `folder` if there are as many, or
// the numbers themselves. None for a largest of -1.
std::vector<std::string> class_names(const std::filesystem::path& folder, int32_t largest);

}  // namespace fcm::loader
