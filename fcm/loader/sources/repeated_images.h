// Finds images that a list names more than once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "fcm/loader/sources/joined_names.h"
#include "fcm/loader/sources/labels.h"

namespace fcm::loader {

// `name` without the components "." and "..", and relative to `folder` if it is inside. Names that
// are equal in this form are the same file.
std::string normal_name(std::string_view name, const std::filesystem::path& folder);

// Warns about names that occur more than once, with their number and an example, and about repeated
// names with different labels. `names` are relative to `folder`, or absolute; `list` is the name of
// the list for the message.
void warn_of_repeated(const JoinedNames& names, const Labels& labels,
                      const std::filesystem::path& folder, const std::string& list,
                      Remarks& remarks);

// The same for `count` names without labels; name_of(i) is the i-th name.
void warn_of_repeated(int64_t count, const std::function<std::string_view(int64_t)>& name_of,
                      const std::filesystem::path& folder, const std::string& list,
                      Remarks& remarks);

}  // namespace fcm::loader
