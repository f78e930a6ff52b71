#include "fcm/loader/sources/folder_listing.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "fcm/base/error.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/byte_text.h"
#include "fcm/loader/sources/index_cache.h"
#include "fcm/loader/sources/picture_ending.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// What tells a folder from the same one after files came, went or were renamed in it.
struct Stamp {
  uint64_t device = 0, inode = 0;
  int64_t modified = 0, changed = 0;  // nanoseconds; the second cannot be set back
  bool operator==(const Stamp&) const = default;
};

[[noreturn]] void fail_listing(const fs::path& folder, const std::error_code& error) {
  fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
}

Stamp stamp_of(const fs::path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) {
    fail_listing(folder, std::error_code(errno, std::system_category()));
  }
  const auto nanoseconds = [](const timespec& time) {
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return {facts.st_dev, facts.st_ino, nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim)};
}

struct StampedFolder {
  std::string name;  // relative to the listed folder
  Stamp stamp;
};

// What was found in one folder, or in all.
struct Found {
  std::vector<std::string> pictures;   // relative to the listed folder, sorted
  std::vector<StampedFolder> folders;  // that were looked into
  bool has_links = false;              // which may change without any folder's doing
};

// Calls see(entry) for what is in the folder and not hidden, after its stamp was taken: what
// changes meanwhile shows.
template <class See>
void look_into(const fs::path& root, const std::string& name, Found& found, const See& see) {
  const fs::path folder = root / name;
  found.folders.push_back({name, stamp_of(folder)});
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with('.')) see(*entry);
  }
  if (error) fail_listing(folder, error);
}

bool is_picture(const fs::directory_entry& entry, Found& found) {
  if (!is_picture_ending(entry.path().extension().string())) return false;
  std::error_code ignored;
  found.has_links |= entry.is_symlink(ignored);
  return entry.is_regular_file(ignored);  // also what a link leads to; never a device or a pipe
}

// The pictures in root/name, and in the folders below it if `nested`. Links to folders are not
// followed, so a listing always ends.
Found pictures_in(const fs::path& root, const std::string& name, bool nested) {
  Found found;
  std::vector<std::string> waiting{name};
  while (!waiting.empty()) {
    const std::string inside = std::move(waiting.back());
    waiting.pop_back();
    look_into(root, inside, found, [&](const fs::directory_entry& entry) {
      const std::string file = entry.path().filename().string();
      std::string path = inside.empty() ? file : inside + "/" + file;
      std::error_code ignored;
      if (is_picture(entry, found)) {
        found.pictures.push_back(std::move(path));
      } else if (nested && entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
        waiting.push_back(std::move(path));
      }
    });
  }
  std::sort(found.pictures.begin(), found.pictures.end());
  return found;
}

// Sorted names of the folders inside, links to folders included.
std::vector<std::string> folders_in(const fs::path& root, Found& found) {
  std::vector<std::string> names;
  look_into(root, "", found, [&](const fs::directory_entry& entry) {
    std::error_code ignored;
    if (entry.is_directory(ignored)) {
      names.push_back(entry.path().filename().string());
    } else {
      found.has_links |= entry.is_symlink(ignored);  // to nothing, or not yet to a folder
    }
  });
  std::sort(names.begin(), names.end());
  return names;
}

void add_folders(Found& to, Found& from) {
  to.has_links |= from.has_links;
  std::move(from.folders.begin(), from.folders.end(), std::back_inserter(to.folders));
}

PictureNames look(const fs::path& root, int64_t threads, Found& all) {
  PictureNames pictures;
  const std::vector<std::string> folders = folders_in(root, all);
  const auto add = [&](const Found& found, int32_t label) {
    for (const std::string& picture : found.pictures) pictures.names.add(picture);
    pictures.labels.resize(pictures.labels.size() + found.pictures.size(), label);
  };
  for_each_in_order(
      std::ssize(folders), threads,
      [&](int64_t i) { return pictures_in(root, folders[static_cast<size_t>(i)], true); },
      [&](int64_t i, Found found) {
        add_folders(all, found);
        if (found.pictures.empty()) return;
        add(found, static_cast<int32_t>(pictures.classes.size()));
        pictures.classes.push_back(folders[static_cast<size_t>(i)]);
      });
  if (pictures.classes.empty()) {
    Found found = pictures_in(root, "", false);
    add_folders(all, found);
    add(found, -1);
  }
  if (pictures.labels.empty()) {
    fail(ExitCode::kData,
         "no pictures in {}: looked for <class>/*.jpg, *.jpeg, *.png and *.webp in {} folders, and "
         "for "
         "pictures directly in it",
         root.string(), folders.size());
  }
  return pictures;
}

bool is_settled(const Found& found, std::chrono::system_clock::time_point now) {
  const int64_t latest =
      std::chrono::duration_cast<std::chrono::nanoseconds>((now - kSettled).time_since_epoch())
          .count();
  return std::all_of(found.folders.begin(), found.folders.end(), [&](const StampedFolder& folder) {
    return std::max(folder.stamp.modified, folder.stamp.changed) < latest;
  });
}

std::string as_bytes(const PictureNames& pictures, const Found& found) {
  ByteWriter out;
  out.number(static_cast<uint64_t>(found.folders.size()));
  for (const auto& [name, stamp] : found.folders) {
    out.text(name);
    out.number(stamp.device);
    out.number(stamp.inode);
    out.number(stamp.modified);
    out.number(stamp.changed);
  }
  out.number(static_cast<uint64_t>(pictures.classes.size()));
  for (const std::string& name : pictures.classes) out.text(name);
  out.number(static_cast<uint64_t>(pictures.labels.size()));
  for (size_t i = 0; i < pictures.labels.size(); ++i) {
    out.number(pictures.labels[i]);
    out.text(pictures.names.at(static_cast<int64_t>(i)));
  }
  return out.bytes();
}

// Throws Error(kData) where a folder is not as it was.
PictureNames from_bytes(std::string_view bytes, const fs::path& root) {
  ByteReader in(bytes);
  for (auto folders = in.number<uint64_t>(); folders > 0; --folders) {
    const fs::path folder = root / in.text();
    const Stamp stamp{in.number<uint64_t>(), in.number<uint64_t>(), in.number<int64_t>(),
                      in.number<int64_t>()};
    if (stamp_of(folder) != stamp) fail(ExitCode::kData, "{} changed", folder.string());
  }
  PictureNames pictures;
  for (auto classes = in.number<uint64_t>(); classes > 0; --classes) {
    pictures.classes.emplace_back(in.text());
  }
  for (auto count = in.number<uint64_t>(); count > 0; --count) {
    pictures.labels.push_back(in.number<int32_t>());
    pictures.names.add(in.text());
  }
  in.need_end();
  return pictures;
}

}  // namespace

PictureNames list_folder(const fs::path& folder, const OpenOptions& options,
                         std::chrono::system_clock::time_point now) {
  std::error_code ignored;
  const std::string key = "folder " + fs::weakly_canonical(folder, ignored).string();
  if (const auto kept = read_index(options.cache, key)) {
    try {
      return from_bytes(*kept, folder);
    } catch (const Error&) {  // it no longer holds
    }
  }
  Found found;
  PictureNames pictures = look(folder, options.threads, found);
  if (!options.cache.empty() && std::ssize(pictures.labels) >= kFewestToKeep && !found.has_links &&
      is_settled(found, now)) {
    keep_index(options.cache, key, as_bytes(pictures, found));
  }
  return pictures;
}

}  // namespace fcm::loader
