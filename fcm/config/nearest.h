// Suggestions for mistyped names.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::config {

// Damerau-Levenshtein distance (restricted): insertions, deletions, replacements and swaps of
// neighbouring letters.
size_t edit_distance(std::string_view from, std::string_view to);

// The candidate nearest to `word` (the first of several), if it is near enough to be plausible.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace fcm::config
