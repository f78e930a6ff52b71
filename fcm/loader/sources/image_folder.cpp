#include "fcm/base/error.h"
#include "fcm/loader/sources/folder_listing.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {

namespace fs = std::filesystem;

std::unique_ptr<Dataset> open_image_folder(const fs::path& folder, Split split,
                                           const OpenOptions& options) {
  const auto open = [&](const fs::path& listed) {
    return std::make_unique<NamedPictures>(
        listed, list_folder(listed, options, std::chrono::system_clock::now()));
  };
  const bool has_train = fs::is_directory(folder / "train");
  const bool has_val = fs::is_directory(folder / "val");
  if (!has_train && !has_val) return open(folder);
  const char* const wanted = split == Split::kTrain ? "train" : "val";
  if (!(split == Split::kTrain ? has_train : has_val)) {
    fail(ExitCode::kData, "{} has no folder {}, only {}", folder.string(), wanted,
         has_train ? "train" : "val");
  }
  return open(folder / wanted);
}

}  // namespace fcm::loader
