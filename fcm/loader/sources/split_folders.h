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
  // Non-empty folders named by another word for the split: "Train" or "training" beside "train".
  std::vector<std::string> train_passed_over, val_passed_over;
  std::vector<std::string> others;    // names of the other folders
  std::vector<std::string> doubtful;  // if there are no splits: folders named like a split
  LeftOut files;                      // skipped: files and system folders
  bool any() const { return !train.empty() || !val.empty(); }
  const std::string& of(Split split) const { return split == Split::kTrain ? train : val; }
  const std::vector<std::string>& rivals(Split split) const {
    return split == Split::kTrain ? train_rivals : val_rivals;
  }
};

// Finds the split folders in a folder. A folder whose name is a word of split_named is a split. Of
// several, the first non-empty one in this order is used: train, training, trainval; val, valid,
// validation, dev, test, testing; lower case first. Otherwise, a folder whose name contains such a
// word, delimited by marks, blanks, digits or a change of letter case ("train2017", "Training Set",
// "ILSVRC2012_img_val"), is a split in two cases:
// - A folder of the other split has the same other words; digits and words such as "images" do not
//   count ("train_images" beside "val", but not "train_station" beside "test_tube").
// - No folder without such a word contains images; and the name has no other words, or the folder
//   contains folders but no images.
// All other folders are classes.
SplitFolders split_folders_in(const std::filesystem::path& folder);
// Archives often unpack into one folder that holds both splits. If `folder` has no splits and all
// its images are in one such folder, returns that folder; otherwise `folder`.
std::filesystem::path folder_with_splits(const std::filesystem::path& folder);
// Throws Error(kData) if several folders could be `split`; the message names them.
void refuse_rivals(const std::filesystem::path& folder, const SplitFolders& splits, Split split);

// A sentence for each split that was chosen by rule among several folders.
std::vector<std::string> warnings_of(const SplitFolders& splits);

// The number of images directly in a folder, and the number of its folders that contain an image
// directly or one level below. Images are recognised by their extensions.
struct ImageSigns {
  int64_t folders = 0, images = 0;
};
ImageSigns image_signs_in(const std::filesystem::path& folder);

// Divides files into splits by the words in their names, delimited as for folders. A file is held
// out if its name has a word for validation or test and none for training. If some but not all
// files are held out, the validation split is the files with a word for validation, or, if there
// are none, those with a word for test. Otherwise both splits contain all files.
struct NamedSplits {
  std::vector<std::filesystem::path> train, val;
  std::vector<std::filesystem::path> test;  // held out, but in neither split
  bool are_named = false;                   // false: train and val contain all files
};
NamedSplits splits_by_name(const std::vector<std::filesystem::path>& files);

}  // namespace fcm::loader
