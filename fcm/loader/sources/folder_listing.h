// The pictures of a folder, looked for or remembered.
#pragma once

#include <chrono>
#include <filesystem>

#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/named_pictures.h"

namespace fcm::loader {

// <class>/** of the folder, sorted; the pictures directly in it where no class folder has any.
// Links are followed, but never to a folder above; a link to nothing is a picture that cannot be
// read. What is no picture is counted in the remarks. A list that was kept in options.cache is
// believed only if every folder that was looked into, empty ones too, still has its inode and both
// its times of change; it is kept only if these are settled at `now` and no link decided what is a
// picture. Throws Error(kData) where nothing is found.
PictureNames list_folder(const std::filesystem::path& folder, const OpenOptions& options,
                         std::chrono::system_clock::time_point now);

}  // namespace fcm::loader
