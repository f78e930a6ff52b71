// Names a file's actual kind by its first bytes, for error messages about an unexpected file.
#pragma once

#include <string>
#include <string_view>

namespace fcm {

// Bytes from the beginning of the file that content_kind looks at.
inline constexpr size_t kContentBytes = 512;

// Such as "a GIF", "a Git LFS pointer: run git lfs pull to fetch the file itself" or "a web page:
// the download failed"; "" for unknown bytes. A guess, for messages only.
std::string content_kind(std::string_view begin);

}  // namespace fcm
