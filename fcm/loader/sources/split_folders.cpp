#include "fcm/loader/sources/split_folders.h"

#include <algorithm>
#include <array>

#include "fcm/base/error.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/picture_ending.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// In the order of preference.
constexpr std::array<std::string_view, 2> kTrainWords{"train", "training"};
constexpr std::array<std::string_view, 5> kValWords{"val", "valid", "validation", "test",
                                                    "testing"};
constexpr size_t kFirstTestWord = 3;

template <class Words>
size_t rank(const Words& words, std::string_view word) {
  return static_cast<size_t>(std::find(words.begin(), words.end(), lower_case(word)) -
                             words.begin());
}

// Whether a validation or test word stands in the name: its rank, or as many as there are words.
size_t val_rank_in(const std::string& name) {
  size_t best = kValWords.size();
  constexpr std::string_view kBetween = "-_. 0123456789";
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find_first_of(kBetween, begin), name.size());
    const std::string_view word = std::string_view(name).substr(begin, end - begin);
    if (rank(kTrainWords, word) < kTrainWords.size()) return kValWords.size();
    best = std::min(best, rank(kValWords, word));
    begin = end + 1;
  }
  return best;
}

}  // namespace

std::optional<Split> split_named(std::string_view word) {
  if (rank(kTrainWords, word) < kTrainWords.size()) return Split::kTrain;
  if (rank(kValWords, word) < kValWords.size()) return Split::kVal;
  return std::nullopt;
}

SplitFolders split_folders_in(const fs::path& folder) {
  SplitFolders splits;
  std::vector<std::string> names;
  const auto see = [&](const fs::directory_entry& entry, const std::string& name) {
    std::error_code ignored;
    const bool link = entry.is_symlink(ignored) && split_named(name);  // to nothing: faults later
    if (!link && !entry.is_directory(ignored)) {
      splits.files.add(kind_of_name(name), name);
    } else if (is_of_the_system(name)) {
      splits.files.add("folders of the system", name);
    } else {
      names.push_back(name);
    }
  };
  const std::error_code error = for_each_visible(folder, splits.files, see);
  if (error) fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
  // Lower case sorts behind upper: turned round, the first of one rank is the one in lower case.
  std::sort(names.begin(), names.end(), std::greater<>());
  const auto take = [&](std::string& place, const auto& words) {
    const auto best = std::min_element(names.begin(), names.end(),
                                       [&](const std::string& a, const std::string& b) {
                                         return rank(words, a) < rank(words, b);
                                       });
    if (best == names.end() || rank(words, *best) == words.size()) return;
    place = *best;
    names.erase(best);
  };
  take(splits.train, kTrainWords);
  take(splits.val, kValWords);
  std::reverse(names.begin(), names.end());
  splits.others = std::move(names);
  return splits;
}

bool has_folder_of(const fs::path& folder, Split split) {
  std::error_code ignored;
  return fs::is_directory(folder, ignored) && !split_folders_in(folder).of(split).empty();
}

NamedSplits splits_by_name(const std::vector<fs::path>& files) {
  const auto count = [&](size_t from, size_t to) {
    return std::count_if(files.begin(), files.end(), [&](const fs::path& file) {
      const size_t rank = val_rank_in(file.filename().string());
      return rank >= from && rank < to;
    });
  };
  const auto val = count(0, kFirstTestWord), test = count(kFirstTestWord, kValWords.size());
  NamedSplits splits;
  splits.are_named = val + test > 0 && val + test < std::ssize(files);
  for (const fs::path& file : files) {
    const size_t rank = val_rank_in(file.filename().string());
    if (!splits.are_named) {
      splits.train.push_back(file);
      splits.val.push_back(file);
    } else if (rank == kValWords.size()) {
      splits.train.push_back(file);
    } else if (rank < kFirstTestWord || val == 0) {
      splits.val.push_back(file);
    } else {
      splits.test.push_back(file);
    }
  }
  return splits;
}

}  // namespace fcm::loader
