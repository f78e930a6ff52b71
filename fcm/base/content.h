// What a file is instead of what it was taken for, told by its first bytes.
#pragma once

#include <string>
#include <string_view>

namespace fcm {

// How many first bytes are enough.
inline constexpr size_t kContentBytes = 512;

// Such as "a GIF", "a Git LFS pointer: run git lfs pull to fetch the file itself" or "a web page:
// the download failed"; "" where nothing is known of such bytes. For messages: it is a guess.
std::string content_kind(std::string_view begin);

}  // namespace fcm
