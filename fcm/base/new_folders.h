// Folders of an output that may still fail.
#pragma once

#include <filesystem>
#include <vector>

#include "fcm/base/error.h"

namespace fcm {

// Creates the folder and its missing parents, durably, like make_folders. The destructor, which
// also runs if that fails, removes those that it created and that are empty, unless keep() was
// reached.
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
