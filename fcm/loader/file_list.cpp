// A text file that names pictures.
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/class_numbers.h"
#include "fcm/loader/encoded.h"
#include "fcm/loader/joined_names.h"
#include "fcm/loader/random_access_file.h"
#include "fcm/loader/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

class FileList final : public EncodedDataset {
 public:
  explicit FileList(const fs::path& list) : folder_(list.parent_path()) {
    const std::string text = read_file(list, ExitCode::kData);
    int64_t line_number = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view line = std::string_view(text).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++line_number;
      if (!line.empty() && !line.starts_with('#')) add(line, list, line_number);
      begin = end + 1;
    }
    if (labels_.empty()) fail(ExitCode::kData, "{} names no pictures", list.string());
    classes_ = class_names(folder_, *std::max_element(labels_.begin(), labels_.end()));
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string name(int64_t index) const override { return (folder_ / names_.at(index)).string(); }

  std::string read(int64_t index) const override {
    const RandomAccessFile file(name(index));
    std::string bytes(file.size(), '\0');
    file.read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
    return bytes;
  }

 private:
  // "path", "path label" or "path<TAB>label".
  void add(std::string_view line, const fs::path& list, int64_t line_number) {
    int32_t label = -1;
    if (const size_t space = line.find_last_of(" \t"); space != std::string_view::npos) {
      if (const auto number = label_from_text(line.substr(space + 1))) {
        label = *number;
        line = line.substr(0, space);
      }
    }
    if (line.empty() || line.find('\0') != std::string_view::npos) {
      fail(ExitCode::kData, "{} line {} names no file; is this a list of pictures?", list.string(),
           line_number);
    }
    if (!labels_.empty() && (labels_.front() < 0) != (label < 0)) {
      fail(ExitCode::kData, "{} line {} has {} label, unlike the lines before it", list.string(),
           line_number, label < 0 ? "no" : "a");
    }
    names_.add(line);
    labels_.push_back(label);
  }

  fs::path folder_;
  JoinedNames names_;
  std::vector<int32_t> labels_;
  std::vector<std::string> classes_;
};

}  // namespace

std::unique_ptr<Dataset> open_file_list(const fs::path& list) {
  return std::make_unique<FileList>(list);
}

}  // namespace fcm::loader
