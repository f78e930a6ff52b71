// Recognises splits by the names of folders and files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// "train", "training", "trainval": the training split. "val", "valid", "validation", "dev", "test",
// "testing": the validation split. In any letter case; nullopt for other words.
std::optional<Split> split_named(std::string_view word);

// The split folders in a folder.
struct SplitFolders {
  std::string train, val;  // names; "": none
  // All candidates for a split, if there are several and no rule prefers one of them.
  std::vector<std::string> train_rivals, val_rivals;
  // Folders with other bare words for the split, not empty: "Train" or "training" beside "train".
  std::vector<std::string> train_passed_over, val_passed_over;
  std::vector<std::string> others;    // names of the other folders
  std::vector<std::string> doubtful;  // if there are no splits: folders named like one
  LeftOut files;                      // skipped: files and system folders
  bool any() const { return !train.empty() || !val.empty(); }
  const std::string& of(Split split) const { return split == Split::kTrain ? train : val; }
  const std::vector<std::string>& rivals(Split split) const {
    return split == Split::kTrain ? train_rivals : val_rivals;
  }
};

// A folder whose name is a word of split_named is a split. Of several, the first in this order is
// used: train, training, trainval; val, valid, validation, dev, test, testing; lower case first.
// Otherwise, a folder whose name contains such a word, delimited by marks, blanks, digits or a
// change of letter case ("train2017", "Training Set", "ILSVRC2012_img_val"), is a split if
// - a folder of the other split has the same other words; digits and words such as "images" do not
//   count ("train_images" beside "val", but not "train_station" beside "test_tube");
// - or no folder without such a word contains images, and its own name has no other words or it
//   contains folders but no images.
// All others are classes.
SplitFolders split_folders_in(const std::filesystem::path& folder);
// If a folder has no splits, and all its images are in one folder that has both splits (as archives
// unpack): that folder. Otherwise `folder`.
std::filesystem::path folder_with_splits(const std::filesystem::path& folder);
// Throws Error(kData) with their names if several folders could be that split.
void refuse_rivals(const std::filesystem::path& folder, const SplitFolders& splits, Split split);

// A sentence for each split for which several folders could be meant and one was chosen by rule.
std::vector<std::string> warnings_of(const SplitFolders& splits);

// The number of images directly in the folder, and of its folders that contain images up to two
// levels deep; images are recognised by their extensions.
struct ImageSigns {
  int64_t folders = 0, images = 0;
};
ImageSigns image_signs_in(const std::filesystem::path& folder);

// Divides files by the words in their names, delimited as above. If some but not all names have a
// word for validation or test (and none for training), the files for validation are the validation
// split, or those for test if there are none for validation. Otherwise all files are both splits.
struct NamedSplits {
  std::vector<std::filesystem::path> train, val;
  std::vector<std::filesystem::path> test;  // in neither
  bool are_named = false;                   // false: train and val contain all files
};
NamedSplits splits_by_name(const std::vector<std::filesystem::path>& files);

}  // namespace fcm::loader
