#include "fcm/loader/sources/files_beside.h"

#include "fcm/loader/sources/image_ending.h"

namespace fcm::loader {

namespace fs = std::filesystem;

std::error_code for_each_visible(
    const fs::path& folder, LeftOut& left_out,
    const std::function<void(const fs::directory_entry&, const std::string&)>& see) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::string_view hidden = kind_of_hidden(name);
    hidden.empty() ? see(*entry, name) : left_out.add(hidden, name);
  }
  return error;
}

LeftOut files_beside(const fs::path& folder,
                     const std::function<bool(const std::string&)>& is_ours) {
  LeftOut left_out;
  for_each_visible(
      folder, left_out, [&](const fs::directory_entry& entry, const std::string& name) {
        if (is_ours(name)) return;
        std::error_code ignored;
        left_out.add(entry.is_directory(ignored) ? "folders" : kind_of_name(name), name);
      });
  return left_out;
}

}  // namespace fcm::loader
