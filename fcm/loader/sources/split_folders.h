// Which folders and files are a split by their names.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// "train", "training": the training split. "val", "valid", "validation", "dev", "test", "testing":
// the validation split. In any case. None for any other word.
std::optional<Split> split_named(std::string_view word);

// Where the pictures of the splits lie in a folder.
struct SplitFolders {
  std::string train, val;  // names of folders; "": there is none
  // Where several are named for one split and none of them before the others: all of them.
  std::vector<std::string> train_rivals, val_rivals;
  std::vector<std::string> others;    // names of the other folders
  std::vector<std::string> doubtful;  // where none is a split: those that are named as one is
  LeftOut files;                      // beside them
  bool any() const { return !train.empty() || !val.empty(); }
  const std::string& of(Split split) const { return split == Split::kTrain ? train : val; }
  const std::vector<std::string>& rivals(Split split) const {
    return split == Split::kTrain ? train_rivals : val_rivals;
  }
};

// A folder is a split whose name is such a word: train before training, val before valid,
// validation, dev, test, testing; and lower case before others. Else one in whose name such a word
// stands whole, between marks, blanks, digits and changes of case ("train2017", "Training Set",
// "ILSVRC2012_img_val"), if it is no class by all signs:
// - the rest of its name is that of a folder of the other split, but for digits and words such as
//   images ("train_images" beside "val", not "train_station" beside "test_tube");
// - or no other folder with pictures lies beside it, and its name says no more, or it holds folders
//   and no pictures.
SplitFolders split_folders_in(const std::filesystem::path& folder);
// Where a folder has no splits and all its pictures lie in one folder that has both, that one, as
// archives unpack; else the folder itself.
std::filesystem::path folder_with_splits(const std::filesystem::path& folder);
// Error(kData) with their names where several folders could be that split.
void refuse_rivals(const std::filesystem::path& folder, const SplitFolders& splits, Split split);

// How many entries of the folder are pictures by their names, itself or one or two folders deep:
// class folders count once, pictures directly in it each.
struct PictureSigns {
  int64_t folders = 0, pictures = 0;
};
PictureSigns picture_signs_in(const std::filesystem::path& folder);

// Where some names hold a word for validation, whole as above, and others do not, the former are
// the validation split (not where "train" stands there too). Those for a test are it only where
// none is for validation. Otherwise all are both splits.
struct NamedSplits {
  std::vector<std::filesystem::path> train, val;
  std::vector<std::filesystem::path> test;  // of neither
  bool are_named = false;                   // false: train and val hold all
};
NamedSplits splits_by_name(const std::vector<std::filesystem::path>& files);

}  // namespace fcm::loader
