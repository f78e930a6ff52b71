// Warnings about the names of classes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/remarks.h"

namespace fcm::loader {

// Replaces each blank name by the class number, with a warning. `where` is the file or folder.
void name_blank_classes(std::vector<std::string>& names, std::string_view where, Remarks& remarks);

// Warns about names that occur more than once, or that differ only in letter case or blanks.
void warn_of_alike_classes(const std::vector<std::string>& names, std::string_view where,
                           Remarks& remarks);

}  // namespace fcm::loader
