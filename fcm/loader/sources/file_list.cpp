// A text file that lists images.
#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/list_columns.h"
#include "fcm/loader/sources/list_line.h"
#include "fcm/loader/sources/named_images.h"
#include "fcm/loader/sources/repeated_images.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

class ListReader {
 public:
  explicit ListReader(const fs::path& list) : list_(list) {}

  ImageNames read() {
    ListLines lines(list_);
    for (std::string_view line; lines.next(line);) {
      line_ = lines.number();
      if (line.ends_with('\r')) line.remove_suffix(1);
      const std::string_view bare = without_blanks_around(line);
      if (bare.empty() || bare.starts_with('#')) continue;
      // In a list with columns, a leading or trailing tab is an empty field, so the line is passed
      // untrimmed.
      if (bare.find('\0') == bare.npos && (is_heading(line, bare) || add_row(line))) continue;
      add_line(bare);
    }
    return finish();
  }

 private:
  [[noreturn]] void refuse(std::string_view line, std::string_view wrong) const {
    fail(ExitCode::kData, "{} line {}, \"{}\": {}", list_.string(), line_, shortened(line), wrong);
  }

  // Whether this line is a heading, which only the first line with content can be. A heading with
  // column names sets columns_.
  bool is_heading(std::string_view whole, std::string_view line) {
    if (std::exchange(has_begun_, true)) return false;
    constexpr size_t kNamesMark = 5;  // "sep=;", by which spreadsheets declare the separator
    if (line.size() == kNamesMark && line.starts_with("sep=")) {
      has_begun_ = false;
      return true;
    }
    columns_ = ListColumns::of_heading(whole);
    std::error_code ignored;
    if (columns_) {
      images_.remarks.notes.push_back(
          fmt::format("line {} is a heading: {}", line_, columns_->as_text()));
    } else if (is_name_of_paths(line) && !fs::exists(list_.parent_path() / line, ignored)) {
      images_.remarks.notes.push_back(fmt::format("line {}, \"{}\", is a heading", line_, line));
    } else {
      return false;
    }
    return true;
  }

  // Adds a line of a list with columns. Returns false if the list has none.
  bool add_row(std::string_view line) {
    if (!columns_) return false;
    const ListColumns::Row row = columns_->row_of(line);
    if (!row.fault.empty()) refuse(line, row.fault);
    add(line, {row.path, row.label});
    return true;
  }

  void add_line(std::string_view line) {
    const bool has_zero = line.find('\0') != std::string_view::npos;
    const ListLine parts = parse_list_line(line);
    std::error_code ignored;
    const bool is_label_alone = is_number(line) && !fs::exists(list_.parent_path() / line, ignored);
    if (parts.path.empty() || has_zero || is_label_alone) {
      fail(ExitCode::kData, "{} line {} names no file; is this a list of images{}?", list_.string(),
           line_, has_zero ? ", saved as UTF-8 rather than UTF-16" : "");
    }
    const std::string wrong = line_fault(line, parts.path, list_.parent_path());
    if (!wrong.empty()) refuse(line, wrong);
    add(line, parts);
  }

  void add(std::string_view line, const ListLine& parts) {
    const fs::path folder = list_.parent_path();
    std::string wrong = path_fault(parts.path, folder);
    constexpr int64_t kFirst = 100;
    if (wrong.empty() && images_.names.size() < kFirst) {
      wrong = word_before_path_fault(parts.path, folder);
    }
    if (!wrong.empty()) refuse(line, wrong);
    if (!is_image_ending(ending_of(parts.path))) look_for(line, parts.path);
    images_.names.add(parts.path);
    add_label(parts);
  }

  // Text without an image extension may be the path of an image, or no path at all. Checks for up
  // to 100 such lines whether the file exists.
  void look_for(std::string_view line, std::string_view path) {
    constexpr int64_t kMost = 100;
    if (++odd_ > kMost || are_there_) return;
    std::error_code ignored;
    are_there_ = fs::exists(list_.parent_path() / path, ignored);
    if (!are_there_ && odd_line_.empty()) {
      odd_line_ = fmt::format("line {}, \"{}\"", line_, shortened(line));
    }
  }

  void add_label(const ListLine& parts) {
    if (parts.label.empty()) {
      if (heading_.empty() && !columns_ && !is_image_ending(ending_of(parts.path))) {
        heading_ = fmt::format("line {}, \"{}\"", line_, shortened(parts.path));
      }
      labels_.add_none();
      return;
    }
    has_labels_ = true;
    if (const auto number = label_from_text(parts.label)) {
      labels_.add_number(*number);
      return;
    }
    const int64_t numbers = count_of_numbers(parts.label);
    if (numbers > 1) {
      labels_.add_fault(
          fmt::format("it has {} labels in line {} of the list, \"{}\"; expected "
                      "one",
                      numbers, line_, shortened(parts.label)));
      return;
    }
    std::string fault =
        fmt::format("its label in line {} of the list, \"{}\", is not a class number{}", line_,
                    shortened(parts.label),
                    is_number(parts.label) ? "; these are integers from 0 to 99999" : "");
    if (is_class_name(parts.label)) {
      labels_.add_name(parts.label, std::move(fault));
    } else {
      labels_.add_fault(std::move(fault));
    }
  }

  ImageNames finish() {
    if (labels_.size() == 0) fail(ExitCode::kData, "{} lists no images", list_.string());
    if (has_labels_ && !heading_.empty()) {
      fail(ExitCode::kData,
           "{} {} has no class number, unlike other lines, and no image extension; if it is a "
           "heading, remove it or put # before it",
           list_.string(), heading_);
    }
    if (!odd_line_.empty() && !are_there_ && 2 * odd_ > labels_.size()) {
      fail(ExitCode::kData,
           "{} {}: there is no such file, and it has no image extension ({} of {} lines have "
           "none); expected one path per line, then a blank or tab and a class number, or "
           "comma-separated columns with a first line that names them (path, label)",
           list_.string(), odd_line_, odd_, labels_.size());
    }
    images_.labels = labels_.finish(list_.parent_path(), images_.remarks);
    warn_of_repeated(images_.names, images_.labels, list_.parent_path(), list_.string(),
                     images_.remarks);
    if (images_.labels.classes.empty()) {
      const char* const wanted =
          columns_ ? "has no column, or more than one, called label, class or target"
                   : "has no class numbers; write one after each path, separated by a blank";
      images_.remarks.no_labels = fmt::format("{} {}", list_.string(), wanted);
    }
    remark_absence();
    return std::move(images_);
  }

  // Adds a note if the images are missing, since lists are often copied without their images.
  void remark_absence() {
    constexpr int64_t kMost = 20;
    const int64_t count = std::min(kMost, images_.names.size());
    for (int64_t i = 0; i < count; ++i) {
      std::error_code ignored;
      const std::string_view name = images_.names.at(i * images_.names.size() / count);
      if (fs::exists(list_.parent_path() / name, ignored) || ignored) return;
    }
    images_.remarks.notes.push_back(
        fmt::format("none of the {} images that were checked exists; the first: {}", count,
                    (list_.parent_path() / images_.names.at(0)).string()));
  }

  const fs::path& list_;
  int64_t line_ = 0;
  ImageNames images_;
  LabelCollector labels_;
  bool has_labels_ = false;
  bool has_begun_ = false;
  std::optional<ListColumns> columns_;  // set if a heading names columns
  std::string heading_;                 // the first line that might be a heading; empty: none
  int64_t odd_ = 0;                     // lines whose path has no image extension
  bool are_there_ = false;              // whether the file of such a line exists
  std::string odd_line_;                // the first such line whose file does not exist
};

}  // namespace

std::unique_ptr<Dataset> open_file_list(const fs::path& list) {
  return std::make_unique<NamedImages>(list.parent_path(), ListReader(list).read());
}

}  // namespace fcm::loader
