#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/class_names.h"
#include "fcm/loader/sources/files_beside.h"
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
       folder.string(), train ? "train (or training)" : "val (or valid, validation, dev, test)",
       beside, train ? "validation" : "training");
}

// Notes which folders are the splits, unless they are train/ and val/, and counts the others.
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
  const std::string& only = splits.train.empty() ? splits.val : splits.train;
  if (!splits.others.empty() && (splits.train.empty() || splits.val.empty())) {
    remarks.notes.push_back(fmt::format(
        "{}/ is taken as a split because of its name, not as a class; the folders beside it are "
        "left out ({})",
        only, some_of(splits.others)));
  }
  remarks.left_out_of_both_splits = splits.files;
  for (const std::string& name : splits.others) {
    remarks.left_out_of_both_splits.add("folders beside the splits", name);
  }
  remarks.left_out.add(remarks.left_out_of_both_splits);
  remarks.warnings = warnings_of(splits);
}

// Classes whose folder contains folders of both splits.
std::vector<std::string> classes_of_both_splits(const ImageNames& images) {
  std::vector<std::string> classes;
  std::string_view current;
  bool train = false, val = false;  // seen in the current class
  for (int64_t i = 0; i < images.names.size(); ++i) {
    const std::string_view name = images.names.at(i);
    const size_t slash = name.find('/'), next = name.find('/', slash + 1);
    if (slash == std::string_view::npos || next == std::string_view::npos) continue;
    const auto split = split_named(name.substr(slash + 1, next - slash - 1));
    if (!split) continue;
    const std::string_view of_class = name.substr(0, slash);
    if (of_class != current) train = val = false;
    current = of_class;
    const bool was_known = train && val;
    (*split == Split::kTrain ? train : val) = true;
    if (train && val && !was_known) classes.emplace_back(of_class);
  }
  return classes;
}

// Notes folders that are taken as classes but may have been meant as splits.
void remark_doubtful(const SplitFolders& splits, ImageNames& images) {
  if (splits.any()) return;
  Remarks& remarks = images.remarks;
  if (!splits.doubtful.empty()) {
    remarks.notes.push_back(fmt::format(
        "named like a split, but taken as a class, since the other split has no folder: {}",
        some_of(splits.doubtful)));
  }
  const std::vector<std::string> mixed = classes_of_both_splits(images);
  if (mixed.empty()) return;
  remarks.notes.push_back(fmt::format(
      "images for training and for validation are mixed in {} class{} ({}), by the names of "
      "folders in it; to separate them, give such a folder as --data",
      mixed.size(), mixed.size() == 1 ? "" : "es", some_of(mixed)));
}

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const fs::path& data, Split split,
                                           const OpenOptions& options) {
  const fs::path folder = folder_with_splits(data);
  const SplitFolders splits = split_folders_in(folder);
  if (splits.any() && splits.of(split).empty()) fail_without_split(folder, split, splits);
  refuse_rivals(folder, splits, split);
  const fs::path listed = splits.any() ? folder / splits.of(split) : folder;
  ImageNames images = list_folder(listed, options, std::chrono::system_clock::now());
  if (splits.any()) remark_splits(splits, images.remarks);
  remark_doubtful(splits, images);
  warn_of_alike_classes(images.labels.classes, listed.string(), images.remarks);
  if (folder != data) {
    const LeftOut around = files_beside(
        data, [&](const std::string& name) { return name == folder.filename().string(); });
    images.remarks.left_out.add(around);
    images.remarks.left_out_of_both_splits.add(around);
    images.remarks.notes.push_back(
        fmt::format("the splits are in {}/; only that folder is read", folder.filename().string()));
  }
  return std::make_unique<NamedImages>(listed, std::move(images));
}

}  // namespace fcm::loader
