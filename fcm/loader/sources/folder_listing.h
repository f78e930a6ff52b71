// Lists the images of a folder, from disk or from the cache.
#pragma once

#include <chrono>
#include <filesystem>

#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/named_images.h"

namespace fcm::loader {

// The images below <class>/ of the folder, sorted; or the images directly in the folder if no class
// folder has any. Links are followed, but never to a folder that contains them; a dangling link
// with an image extension is an unreadable image. Everything else is counted in the remarks. A list
// cached in options.cache is used only if every listed folder (also empty ones) still has the same
// inode, modification time and change time. A list is cached only if at `now` these times are older
// than kMinCachedAge, no image is a link and no link is dangling. Throws Error(kData) if there are
// no images.
ImageNames list_folder(const std::filesystem::path& folder, const OpenOptions& options,
                       std::chrono::system_clock::time_point now);

}  // namespace fcm::loader
