// Files that survive a crash, and reading whole files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "fcm/base/error.h"

namespace fcm {

// The whole file. Throws Error(code) that names the path and the system's reason.
std::string read_file(const std::filesystem::path& path, ExitCode code);

// Replaces the file in one step: a temporary beside it, fsync, rename, fsync of the folder. After a
// crash at any moment the path holds either the old or the new content, whole.
void write_file_durably(const std::filesystem::path& path, std::string_view content, ExitCode code);

// Makes renames and new files inside the folder durable.
void sync_folder(const std::filesystem::path& folder, ExitCode code);

}  // namespace fcm
