// Folders for an output that may still fail.
#pragma once

#include <filesystem>
#include <vector>

#include "fcm/base/error.h"

namespace fcm {

// Creates the folder and its missing parents, durably, like make_folders. Unless keep() was called,
// the destructor removes the created folders that are empty; it also runs if the constructor fails.
class NewFolders {
 public:
  NewFolders(const std::filesystem::path& folder, ExitCode code, const char* who = "file");
  ~NewFolders();
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;

  void keep() { created_.clear(); }

 private:
  explicit NewFolders(const char* who) : who_(who) {}

  const char* who_;
  std::vector<std::filesystem::path> created_;  // outermost first
};

}  // namespace fcm
