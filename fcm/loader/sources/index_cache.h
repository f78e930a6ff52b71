// A cache of lists of large data sets. A missing or damaged entry reads as absent, and write errors
// are ignored. With each list callers store the facts that show whether the list is still valid
// (times and inodes), and check them before they use it.
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

// Below this many images, listing is as fast as the cache.
inline constexpr int64_t kMinCachedImages = 10'000;

// File times may be coarse, so a file that has just changed may change again without a new time.
// Lists of files or folders that changed less than this time ago are not cached.
inline constexpr std::chrono::seconds kMinCachedAge{2};

// `key` identifies the list, such as "folder /data/imagenet/train". nullopt if there is no cache or
// no entry.
std::optional<std::string> read_index(const std::filesystem::path& cache, const std::string& key);
void write_index(const std::filesystem::path& cache, const std::string& key,
                 std::string_view content);

// Serialisation of LeftOut, which is part of a cached list.
void put(ByteWriter& out, const LeftOut& left_out);
LeftOut take_left_out(ByteReader& in);

}  // namespace fcm::loader
