// Lists of large sets, kept from one start to the next. A list is only ever a shortcut: what is
// missing, damaged or of another version reads as not there, and what cannot be written is not.
// Whoever keeps one records with it what shows that it still holds, and asks that first.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "fcm/loader/remarks.h"
#include "fcm/loader/sources/byte_text.h"

namespace fcm::loader {

// Below this many pictures looking is as quick as remembering.
inline constexpr int64_t kFewestToKeep = 10'000;

// Times of files may be coarse: one that changed just now may change again and look the same. What
// is younger than this is not remembered.
inline constexpr std::chrono::seconds kSettled{2};

// `key` says what the list is of, such as "folder /data/imagenet/train". None without a cache.
std::optional<std::string> read_index(const std::filesystem::path& cache, const std::string& key);
void keep_index(const std::filesystem::path& cache, const std::string& key,
                std::string_view content);

// What was passed over, as part of such a list.
void put(ByteWriter& out, const LeftOut& left_out);
LeftOut take_left_out(ByteReader& in);

}  // namespace fcm::loader
