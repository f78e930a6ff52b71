#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/folder_listing.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_without_split(const fs::path& folder, Split split,
                                     const SplitFolders& found) {
  const bool train = split == Split::kTrain;
  std::string beside = found.of(train ? Split::kVal : Split::kTrain);
  for (const std::string& name : found.others) beside += ", " + name;
  fail(ExitCode::kData,
       "{} has no folder {}, only {}; a folder of that name is the {} split, never a class",
       folder.string(), train ? "train (or training)" : "val (or valid, validation, test)", beside,
       train ? "validation" : "training");
}

// What was understood of the names, where that is not as plain as train/ and val/.
void remark_splits(const SplitFolders& splits, Remarks& remarks) {
  const bool plain = (splits.train.empty() || splits.train == "train") &&
                     (splits.val.empty() || splits.val == "val");
  if (!plain) {
    const auto named = [](const std::string& name, const char* what) {
      return name.empty() ? fmt::format("nothing for {}", what)
                          : fmt::format("{}/ for {}", name, what);
    };
    remarks.notes.push_back(fmt::format("the splits are {} and {}", named(splits.train, "training"),
                                        named(splits.val, "validation")));
  }
  remarks.left_out.add(splits.files);
  for (const std::string& name : splits.others) {
    remarks.left_out.add("folders beside the splits", name);
  }
}

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const fs::path& folder, Split split,
                                           const OpenOptions& options) {
  const SplitFolders splits = split_folders_in(folder);
  if (splits.any() && splits.of(split).empty()) fail_without_split(folder, split, splits);
  const fs::path listed = splits.any() ? folder / splits.of(split) : folder;
  PictureNames pictures = list_folder(listed, options, std::chrono::system_clock::now());
  if (splits.any()) remark_splits(splits, pictures.remarks);
  return std::make_unique<NamedPictures>(listed, std::move(pictures));
}

}  // namespace fcm::loader
