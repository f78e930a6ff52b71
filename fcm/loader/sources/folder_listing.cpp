#include "fcm/loader/sources/folder_listing.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/in_order.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/index_cache.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// Identity and times of a folder; they change when files are added, removed or renamed in it.
struct Stamp {
  uint64_t device = 0, inode = 0;
  int64_t modified = 0, changed = 0;  // nanoseconds; no program can set back `changed`
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

// The result of listing one folder, or several.
struct Found {
  std::vector<std::string> images;     // relative to the listed folder, sorted
  std::vector<StampedFolder> folders;  // folders that were listed
  LeftOut left_out;
  bool has_links = false;  // links, whose targets may change without changing a folder
};

// A folder and its ancestors; the folder being listed is last.
using Chain = std::vector<std::pair<uint64_t, uint64_t>>;  // device, inode

Chain chain_to(const fs::path& root) {
  std::error_code ignored;
  Chain chain;
  fs::path folder = fs::weakly_canonical(root, ignored);
  for (bool is_top = false; !is_top; folder = folder.parent_path()) {
    is_top = folder == folder.parent_path();
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) == 0) chain.emplace_back(facts.st_dev, facts.st_ino);
  }
  return chain;
}

// Lists images in folders below `root` and counts everything else.
class Lister {
 public:
  Lister(const fs::path& root, Chain chain) : root_(root), chain_(std::move(chain)) {}

  // Lists the images directly in root/name; returns the folders in it.
  std::vector<std::string> look_into(const std::string& name) {
    return look_into(name, stamp_of(root_ / name));
  }

  // Lists the images in root/name and in all folders below it. Links to a folder that contains them
  // are not followed, so listing always terminates.
  void look_below(const std::string& name) {
    // Taken before listing, so that changes during the listing make the stamp out of date.
    const Stamp stamp = stamp_of(root_ / name);
    const std::pair identity(stamp.device, stamp.inode);
    if (std::find(chain_.begin(), chain_.end(), identity) != chain_.end()) {
      found_.left_out.add("links back to a folder that contains them", name);
      found_.has_links = true;
      return;
    }
    chain_.push_back(identity);
    for (const std::string& folder : look_into(name, stamp)) look_below(folder);
    chain_.pop_back();
  }

  Found finish() {
    std::sort(found_.images.begin(), found_.images.end());
    return std::move(found_);
  }

 private:
  std::vector<std::string> look_into(const std::string& name, const Stamp& stamp) {
    const fs::path folder = root_ / name;
    found_.folders.push_back({name, stamp});
    std::vector<std::string> folders;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string file = entry->path().filename().string();
      see(*entry, file, name.empty() ? file : name + "/" + file, folders);
    }
    if (error) fail_listing(folder, error);
    std::sort(folders.begin(), folders.end());
    return folders;
  }

  void see(const fs::directory_entry& entry, const std::string& file, std::string path,
           std::vector<std::string>& folders) {
    std::error_code ignored;
    if (const std::string_view hidden = kind_of_hidden(file); !hidden.empty()) {
      found_.left_out.add(hidden, path);
      return;
    }
    if (entry.is_directory(ignored)) {  // also through a link
      if (is_of_the_system(file)) {
        found_.left_out.add("system folders", path);
      } else {
        folders.push_back(std::move(path));
      }
      return;
    }
    const bool is_link = entry.is_symlink(ignored);
    const bool is_lost = is_link && !entry.exists(ignored);
    const bool is_forbidden = ignored == std::errc::permission_denied;
    const bool is_named_image = is_image_ending(entry.path().extension().string());
    found_.has_links |= is_lost || (is_link && is_named_image);
    if (is_named_image && (is_lost || entry.is_regular_file(ignored))) {
      found_.images.push_back(std::move(path));
    } else if (is_lost) {
      found_.left_out.add(
          is_forbidden ? "links without permission to access the target" : "dangling links", path);
    } else {
      found_.left_out.add(is_named_image ? "devices, pipes or sockets" : kind_of_name(file), path);
    }
  }

  const fs::path& root_;
  Chain chain_;
  Found found_;
};

// Merges folders and counts of one class folder into the total.
void add_findings(Found& to, Found& from) {
  to.has_links |= from.has_links;
  to.left_out.add(from.left_out);
  std::move(from.folders.begin(), from.folders.end(), std::back_inserter(to.folders));
}

void add_images(ImageNames& to, const Found& found, int32_t label) {
  for (const std::string& image : found.images) to.names.add(image);
  to.labels.numbers.resize(to.labels.numbers.size() + found.images.size(), label);
}

bool is_archive_extension(std::string_view extension) {
  constexpr std::array<std::string_view, 10> kEndings{".tgz", ".zip", ".7z",  ".rar",  ".gz",
                                                      ".bz2", ".xz",  ".zst", ".tbz2", ".txz"};
  return extension.starts_with(".tar.") || std::ranges::find(kEndings, extension) != kEndings.end();
}

[[noreturn]] void fail_without_images(const fs::path& root, const LeftOut& left_out) {
  std::string hint;
  for (const LeftOut::Kind& kind : left_out.kinds()) {
    if (kind.what == ".tar") {
      hint =
          "; tar shards are looked for in --data itself and in its train/ and val/: give the "
          "folder that holds them";
    } else if (is_archive_extension(kind.what)) {
      hint = fmt::format(
          "; only uncompressed tar archives are read in place: unpack others first ({})",
          kind.what == ".zip" ? "unzip x.zip" : "gunzip x.tar.gz");
    }
    if (!hint.empty()) break;
  }
  fail(ExitCode::kData,
       "no images in {}: looked for {} in class folders (<class>/...) and directly in it; {}{}",
       root.string(), kImageEndingsText,
       left_out.empty() ? "it is empty" : "found " + as_text(left_out), hint);
}

ImageNames list_images(const fs::path& root, int64_t threads, Found& all) {
  ImageNames images;
  const Chain chain = chain_to(root);
  Lister top(root, chain);
  const std::vector<std::string> folders = top.look_into("");
  all = top.finish();
  for_each_in_order(
      std::ssize(folders), threads,
      [&](int64_t i) {
        Lister lister(root, chain);
        lister.look_below(folders[static_cast<size_t>(i)]);
        return lister.finish();
      },
      [&](int64_t i, Found found) {
        const std::string& folder = folders[static_cast<size_t>(i)];
        add_findings(all, found);
        if (found.images.empty()) {
          all.left_out.add("folders without readable images", folder);
          return;
        }
        add_images(images, found, static_cast<int32_t>(images.labels.classes.size()));
        images.labels.classes.push_back(folder);
      });
  if (images.labels.classes.empty()) {
    add_images(images, all, -1);
    images.remarks.no_labels =
        fmt::format("{} has {} and no class folders; sort them into one folder per class",
                    root.string(), counted(std::ssize(all.images), "image", "images"));
  } else if (!all.images.empty()) {
    all.left_out.add("images beside the class folders", all.images.front(), std::ssize(all.images));
  }
  images.remarks.left_out = all.left_out;
  if (images.labels.numbers.empty()) fail_without_images(root, all.left_out);
  return images;
}

bool is_old_enough(const Found& found, std::chrono::system_clock::time_point now) {
  const int64_t latest =
      std::chrono::duration_cast<std::chrono::nanoseconds>((now - kMinCachedAge).time_since_epoch())
          .count();
  return std::all_of(found.folders.begin(), found.folders.end(), [&](const StampedFolder& folder) {
    return std::max(folder.stamp.modified, folder.stamp.changed) < latest;
  });
}

std::string as_bytes(const ImageNames& images, const Found& found) {
  ByteWriter out;
  out.number(static_cast<uint64_t>(found.folders.size()));
  for (const auto& [name, stamp] : found.folders) {
    out.text(name);
    out.number(stamp.device);
    out.number(stamp.inode);
    out.number(stamp.modified);
    out.number(stamp.changed);
  }
  put(out, images.remarks.left_out);
  out.text(images.remarks.no_labels);
  out.number(static_cast<uint64_t>(images.labels.classes.size()));
  for (const std::string& name : images.labels.classes) out.text(name);
  out.number(static_cast<uint64_t>(images.labels.numbers.size()));
  for (size_t i = 0; i < images.labels.numbers.size(); ++i) {
    out.number(images.labels.numbers[i]);
    out.text(images.names.at(static_cast<int64_t>(i)));
  }
  return out.bytes();
}

// Throws Error(kData) if a folder has changed.
ImageNames from_bytes(std::string_view bytes, const fs::path& root) {
  ByteReader in(bytes);
  for (auto folders = in.number<uint64_t>(); folders > 0; --folders) {
    const fs::path folder = root / in.text();
    const Stamp stamp{in.number<uint64_t>(), in.number<uint64_t>(), in.number<int64_t>(),
                      in.number<int64_t>()};
    if (stamp_of(folder) != stamp) fail(ExitCode::kData, "{} changed", folder.string());
  }
  ImageNames images;
  images.remarks.left_out = take_left_out(in);
  images.remarks.no_labels = in.text();
  for (auto classes = in.number<uint64_t>(); classes > 0; --classes) {
    images.labels.classes.emplace_back(in.text());
  }
  for (auto count = in.number<uint64_t>(); count > 0; --count) {
    images.labels.numbers.push_back(in.number<int32_t>());
    images.names.add(in.text());
  }
  in.need_end();
  return images;
}

}  // namespace

ImageNames list_folder(const fs::path& folder, const OpenOptions& options,
                       std::chrono::system_clock::time_point now) {
  std::error_code ignored;
  const std::string key = "folder " + fs::weakly_canonical(folder, ignored).string();
  if (const auto cached = read_index(options.cache, key)) {
    try {
      return from_bytes(*cached, folder);
    } catch (const Error&) {  // out of date
    }
  }
  Found found;
  ImageNames images = list_images(folder, options.threads, found);
  if (!options.cache.empty() && std::ssize(images.labels.numbers) >= kMinCachedImages &&
      !found.has_links && is_old_enough(found, now)) {
    write_index(options.cache, key, as_bytes(images, found));
  }
  return images;
}

}  // namespace fcm::loader
