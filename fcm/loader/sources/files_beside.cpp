#include "fcm/loader/sources/files_beside.h"

#include <system_error>

#include "fcm/loader/sources/picture_ending.h"

namespace fcm::loader {

LeftOut files_beside(const std::filesystem::path& folder,
                     const std::function<bool(const std::string&)>& is_ours) {
  namespace fs = std::filesystem;
  LeftOut left_out;
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (is_ours(name)) continue;
    const std::string_view hidden = kind_of_hidden(name);
    if (!hidden.empty()) {
      left_out.add(hidden, name);
    } else {
      left_out.add(entry->is_directory(ignored) ? "folders" : kind_of_name(name), name);
    }
  }
  return left_out;
}

}  // namespace fcm::loader
