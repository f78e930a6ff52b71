// Lists of images with several columns, which the first line names.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// The fields of a line, separated by `mark`, without surrounding blanks. A field in double quotes
// may contain `mark`, and quotes written as "". nullopt if a quote is not closed.
std::optional<std::vector<std::string>> fields_of(std::string_view line, char mark);

class ListColumns {
 public:
  // Parses a heading: fields separated by commas, semicolons, tabs or bars. One field is path,
  // file, filename, image, img or the like, and no field is the name of an image file. The label is
  // in the column called label, class, target, category or the like. nullopt: not a heading.
  static std::optional<ListColumns> of_heading(std::string_view line);

  struct Row {
    std::string path, label;  // label "": none
    std::string fault;        // what is wrong with the line; "": nothing
  };
  Row row_of(std::string_view line) const;

  // A sentence about which columns are read and which are not.
  std::string as_text() const;

 private:
  char mark_ = ',';
  std::vector<std::string> names_;
  size_t path_ = 0;
  std::optional<size_t> label_;  // nullopt: no label column, or several of the same name
};

// Whether the line consists only of the name of a path column.
bool is_name_of_paths(std::string_view line);

}  // namespace fcm::loader
