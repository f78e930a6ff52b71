// A text file that names pictures.
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/class_numbers.h"
#include "fcm/loader/sources/named_pictures.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// "path", "path label" or "path<TAB>label".
void add_line(std::string_view line, const fs::path& list, int64_t line_number,
              PictureNames& pictures) {
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
  if (!pictures.labels.empty() && (pictures.labels.front() < 0) != (label < 0)) {
    fail(ExitCode::kData, "{} line {} has {} label, unlike the lines before it", list.string(),
         line_number, label < 0 ? "no" : "a");
  }
  pictures.names.add(line);
  pictures.labels.push_back(label);
}

}  // namespace

std::unique_ptr<Dataset> open_file_list(const fs::path& list) {
  const std::string text = read_file(list, ExitCode::kData);
  PictureNames pictures;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++line_number;
    if (!line.empty() && !line.starts_with('#')) add_line(line, list, line_number, pictures);
    begin = end + 1;
  }
  if (pictures.labels.empty()) fail(ExitCode::kData, "{} names no pictures", list.string());
  pictures.classes = class_names(list.parent_path(),
                                 *std::max_element(pictures.labels.begin(), pictures.labels.end()));
  return std::make_unique<NamedPictures>(list.parent_path(), std::move(pictures));
}

}  // namespace fcm::loader
