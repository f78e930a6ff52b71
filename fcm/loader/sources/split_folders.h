// Which folders and files are a split by their names.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

// "train", "training": the training split. "val", "valid", "validation", "test", "testing": the
// validation split. In any case. None for any other word.
std::optional<Split> split_named(std::string_view word);

// Where the pictures of the splits lie in a folder.
struct SplitFolders {
  std::string train, val;           // names of folders; "": there is none
  std::vector<std::string> others;  // names of the other folders
  LeftOut files;                    // beside them
  bool any() const { return !train.empty() || !val.empty(); }
  const std::string& of(Split split) const { return split == Split::kTrain ? train : val; }
};

// Where several folders are named for one split: train before training, val before valid,
// validation, test, testing; and lower case before others.
SplitFolders split_folders_in(const std::filesystem::path& folder);
// Whether there is one for that split, readable or not.
bool has_folder_of(const std::filesystem::path& folder, Split split);

// Where some names hold a word for validation, whole between "-", "_", ".", blanks and digits, and
// others do not, the former are the validation split (not where "train" stands there too). Those
// for a test are it only where none is for validation. Otherwise all are both splits.
struct NamedSplits {
  std::vector<std::filesystem::path> train, val;
  std::vector<std::filesystem::path> test;  // of neither
  bool are_named = false;                   // false: train and val hold all
};
NamedSplits splits_by_name(const std::vector<std::filesystem::path>& files);

}  // namespace fcm::loader
