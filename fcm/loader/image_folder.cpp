#include <algorithm>
#include <array>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/encoded.h"
#include "fcm/loader/joined_names.h"
#include "fcm/loader/picture_ending.h"
#include "fcm/loader/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

[[noreturn]] void fail_listing(const fs::path& folder, const std::error_code& error) {
  fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
}

// Sorted names of the folders inside, links to folders included.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;  // a dangling link is no folder
    if (!is_hidden(entry->path()) && entry->is_directory(ignored)) {
      names.push_back(entry->path().filename().string());
    }
  }
  if (error) fail_listing(folder, error);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_picture(const fs::directory_entry& entry) {
  std::error_code ignored;
  return !is_hidden(entry.path()) && is_picture_ending(entry.path().extension().string()) &&
         entry.is_regular_file(ignored);  // also what a link leads to; never a device or a pipe
}

// Sorted paths, relative to `folder`, of the pictures in it; in the folders below it too if
// `nested`. Links to folders below are not followed, so a listing always ends.
std::vector<std::string> pictures_in(const fs::path& folder, bool nested) {
  std::error_code error;
  std::vector<std::string> found;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (!nested || is_hidden(entry->path())) entry.disable_recursion_pending();
    if (is_picture(*entry)) {
      found.push_back(entry->path().lexically_relative(folder).string());
    }
  }
  if (error) fail_listing(folder, error);
  std::sort(found.begin(), found.end());
  return found;
}

class ImageFolder final : public EncodedDataset {
 public:
  explicit ImageFolder(fs::path folder) : folder_(std::move(folder)) {
    const std::vector<std::string> folders = folders_in(folder_);
    for (const std::string& name : folders) {
      const auto files = pictures_in(folder_ / name, true);
      if (files.empty()) continue;
      for (const std::string& file : files) {
        add(name + "/" + file, static_cast<int32_t>(classes_.size()));
      }
      classes_.push_back(name);
    }
    if (classes_.empty()) {
      for (const std::string& file : pictures_in(folder_, false)) add(file, -1);
    }
    if (labels_.empty()) {
      fail(ExitCode::kData,
           "no pictures in {}: looked for <class>/*.jpg, *.jpeg and *.png in {} folders, and for "
           "pictures directly in it",
           folder_.string(), folders.size());
    }
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string name(int64_t index) const override { return (folder_ / names_.at(index)).string(); }
  std::string read(int64_t index) const override { return read_file(name(index), ExitCode::kData); }

 private:
  void add(const std::string& name, int32_t label) {
    names_.add(name);
    labels_.push_back(label);
  }

  fs::path folder_;
  JoinedNames names_;
  std::vector<int32_t> labels_;
  std::vector<std::string> classes_;
};

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const fs::path& folder, Split split) {
  const bool has_train = fs::is_directory(folder / "train");
  const bool has_val = fs::is_directory(folder / "val");
  if (!has_train && !has_val) return std::make_unique<ImageFolder>(folder);
  const char* const wanted = split == Split::kTrain ? "train" : "val";
  if (!(split == Split::kTrain ? has_train : has_val)) {
    fail(ExitCode::kData, "{} has no folder {}, only {}", folder.string(), wanted,
         has_train ? "train" : "val");
  }
  return std::make_unique<ImageFolder>(folder / wanted);
}

}  // namespace fcm::loader
