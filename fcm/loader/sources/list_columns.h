// Lists with columns between commas, whose first line says what they are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// The fields of a line between `mark`s, without blanks around them. A field may stand in double
// quotes, and then hold marks, and quotes as "". nullopt where a quote has no end.
std::optional<std::vector<std::string>> fields_of(std::string_view line, char mark);

class ListColumns {
 public:
  // What a heading says: fields between commas, semicolons, tabs or bars, one of which is called
  // path, file, filename, image, img or the like, and none of which is a picture. The label is in
  // the column called label, class, target or category, or the like. nullopt: it is no heading.
  static std::optional<ListColumns> of_heading(std::string_view line);

  struct Row {
    std::string path, label;  // label "": none
    std::string fault;        // why it cannot be read; "": it can
  };
  Row row_of(std::string_view line) const;

  // Which columns are read and which are not.
  std::string as_text() const;

 private:
  char mark_ = ',';
  std::vector<std::string> names_;
  size_t path_ = 0;
  std::optional<size_t> label_;  // none where several go by the same name
};

// Whether a line is the name of a column of paths and nothing else.
bool is_name_of_paths(std::string_view line);

}  // namespace fcm::loader
