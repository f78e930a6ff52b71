// A text file that names pictures.
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/list_line.h"
#include "fcm/loader/sources/named_pictures.h"
#include "fcm/loader/sources/picture_ending.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

class ListReader {
 public:
  explicit ListReader(const fs::path& list) : list_(list) {}

  PictureNames read() {
    const std::string text = read_file(list_, ExitCode::kData);
    std::string_view rest = text;
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    if (rest.starts_with(kMark)) rest.remove_prefix(kMark.size());
    // Before Mac OS X a line ended in a carriage return.
    const char end_of_line = rest.find('\n') == std::string_view::npos ? '\r' : '\n';
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(end_of_line), rest.size());
      ++line_;
      add_line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return finish();
  }

 private:
  void add_line(std::string_view line) {
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.starts_with('#')) return;
    const ListLine parts = parse_list_line(line);
    if (parts.path.empty() || line.find('\0') != std::string_view::npos) {
      fail(ExitCode::kData, "{} line {} names no file; is this a list of pictures{}?",
           list_.string(), line_,
           line.find('\0') == std::string_view::npos ? "" : ", saved as UTF-8 and not as UTF-16");
    }
    if (const std::string wrong = what_is_wrong(parts.path, list_.parent_path()); !wrong.empty()) {
      fail(ExitCode::kData, "{} line {}, \"{}\": {}", list_.string(), line_, line, wrong);
    }
    pictures_.names.add(parts.path);
    add_label(parts);
  }

  void add_label(const ListLine& parts) {
    if (parts.label.empty()) {
      if (heading_.empty() && !is_picture_ending(ending_of(parts.path))) {
        heading_ = fmt::format("line {}, \"{}\"", line_, parts.path);
      }
      labels_.add_none();
      return;
    }
    has_labels_ = true;
    if (const auto number = label_from_text(parts.label)) {
      labels_.add_number(*number);
      return;
    }
    std::string fault = fmt::format(
        "its label in line {} of the list, \"{}\", is no class number{}", line_, parts.label,
        is_number(parts.label) ? "; whole numbers from 0 to 99999 are" : "");
    if (is_class_name(parts.label)) {
      labels_.add_name(parts.label, std::move(fault));
    } else {
      labels_.add_fault(std::move(fault));
    }
  }

  PictureNames finish() {
    if (labels_.size() == 0) fail(ExitCode::kData, "{} names no pictures", list_.string());
    if (has_labels_ && !heading_.empty()) {
      fail(
          ExitCode::kData,
          "{} {} has no class number, as other lines do, and does not end as a picture does; if it "
          "is a heading, remove it or put # before it",
          list_.string(), heading_);
    }
    pictures_.labels = labels_.finish(list_.parent_path(), pictures_.remarks);
    if (pictures_.labels.classes.empty()) {
      pictures_.remarks.no_labels = fmt::format(
          "{} has no class numbers; write one behind each path, after a blank", list_.string());
    }
    return std::move(pictures_);
  }

  const fs::path& list_;
  int64_t line_ = 0;
  PictureNames pictures_;
  LabelCollector labels_;
  bool has_labels_ = false;
  std::string heading_;  // the first line that might be one; empty: there is none
};

}  // namespace

std::unique_ptr<Dataset> open_file_list(const fs::path& list) {
  return std::make_unique<NamedPictures>(list.parent_path(), ListReader(list).read());
}

}  // namespace fcm::loader
