// CIFAR binary: records of a label byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100),
// then 32x32 pixels in three planes.
#include <algorithm>
#include <fstream>
#include <optional>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/class_names.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/list_line.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSide = 32, kPlane = kSide * kSide;

struct Kind {
  size_t label_bytes;
  size_t classes;
  const char* names_file;
  size_t record() const { return label_bytes + 3 * kPlane; }
};
constexpr Kind kCifar10{1, 10, "batches.meta.txt"};
constexpr Kind kCifar100{2, 100, "fine_label_names.txt"};

std::vector<fs::path> files_of(const fs::path& folder, Split split) {
  std::vector<fs::path> found;
  for (int part = 1; part <= 5 && split == Split::kTrain; ++part) {
    found.push_back(folder / fmt::format("data_batch_{}.bin", part));
  }
  if (split == Split::kTrain) {
    found.push_back(folder / "train.bin");
  } else {
    found.push_back(folder / "test_batch.bin");
    found.push_back(folder / "test.bin");
  }
  std::erase_if(found,
                [](const fs::path& path) { return !is_ordinary_file(path, ExitCode::kData); });
  return found;
}

// Reads class names from a text file beside the records, one per line. Without that file, or if it
// does not have one name per class, classes are named by their numbers.
std::vector<std::string> class_names(const fs::path& folder, const Kind& kind, Remarks& remarks) {
  const fs::path place = folder / kind.names_file;
  std::vector<std::string> names;
  std::ifstream file(place);
  const bool is_there = file.is_open();
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const std::string_view name = without_blanks_around(line);
    if (!name.empty()) names.emplace_back(name);
  }
  if (names.size() == kind.classes) {
    warn_of_alike_classes(names, place.string(), remarks);
    return names;
  }
  if (is_there) {
    remarks.notes.push_back(
        fmt::format("{} has {}, expected {}: classes are named by their numbers", place.string(),
                    counted(std::ssize(names), "name", "names"), kind.classes));
  }
  names.clear();
  for (size_t i = 0; i < kind.classes; ++i) names.push_back(std::to_string(i));
  return names;
}

// Recognises the kind by the file's size or, if the size fits both kinds, by the range of the
// labels. If the size fits only one kind, a label out of range affects only its image.
const Kind& kind_of(const std::string& content, const fs::path& path) {
  if (content.empty()) fail(ExitCode::kData, "{} is empty", path.string());
  const auto has_size = [&](const Kind& kind) { return content.size() % kind.record() == 0; };
  const auto has_labels = [&](const Kind& kind) {
    for (size_t at = 0; at < content.size(); at += kind.record()) {
      if (static_cast<uint8_t>(content[at + kind.label_bytes - 1]) >= kind.classes) return false;
    }
    return true;
  };
  const bool both = has_size(kCifar10) && has_size(kCifar100);
  for (const Kind* kind : {&kCifar10, &kCifar100}) {
    if (has_size(*kind) && (!both || has_labels(*kind))) return *kind;
  }
  if (both) {
    fail(ExitCode::kData,
         "{} has labels outside of 0..9 (CIFAR-10) and 0..99 (CIFAR-100): the file is damaged",
         path.string());
  }
  fail(ExitCode::kData,
       "{} has {} bytes, a multiple of neither {} (CIFAR-10 records) nor {} (CIFAR-100): it is "
       "truncated or of another kind",
       path.string(), content.size(), kCifar10.record(), kCifar100.record());
}

// Notes missing parts, and counts other files in the folder.
Remarks remarks_of(const fs::path& folder, Split split, size_t files) {
  Remarks remarks;
  std::error_code ignored;
  const bool is_of_five = fs::is_regular_file(folder / "test_batch.bin", ignored);
  if (split == Split::kTrain && is_of_five && files < 5) {
    remarks.notes.push_back(
        fmt::format("only {} of the 5 files data_batch_1.bin to data_batch_5.bin exist", files));
  }
  remarks.left_out_of_both_splits = remarks.left_out =
      files_beside(folder, [](const std::string& name) {
        return name.ends_with(".bin") || name.ends_with(".txt") || name == "readme.html";
      });
  return remarks;
}

void append_records(const std::string& content, const Kind& kind, RawImages& held) {
  for (size_t at = 0; at < content.size(); at += kind.record()) {
    held.labels.push_back(static_cast<uint8_t>(content[at + kind.label_bytes - 1]));
    const auto* planes = reinterpret_cast<const uint8_t*>(content.data()) + at + kind.label_bytes;
    for (size_t pixel = 0; pixel < kPlane; ++pixel) {
      for (size_t c = 0; c < 3; ++c) held.pixels.push_back(planes[c * kPlane + pixel]);
    }
  }
}

std::unique_ptr<Dataset> open_files(const std::vector<fs::path>& files, const std::string& origin,
                                    Remarks remarks) {
  RawImages held{origin, kSide, kSide, 3, {}, {}, {}, {}, std::move(remarks)};
  const Kind* kind = nullptr;
  for (const fs::path& path : files) {
    const std::string content = read_file(path, ExitCode::kData);
    const Kind& found = kind_of(content, path);
    if (kind != nullptr && kind != &found) {
      fail(ExitCode::kData, "{} mixes CIFAR-10 and CIFAR-100 files", origin);
    }
    kind = &found;
    append_records(content, found, held);
  }
  held.classes = class_names(files.front().parent_path(), *kind, held.remarks);
  held.remarks.only_numbered = held.classes.front() == "0";
  return hold_in_memory(std::move(held));
}

}  // namespace

bool holds_cifar(const fs::path& folder, Split split) { return !files_of(folder, split).empty(); }

bool holds_cifar(const fs::path& folder) {
  return holds_cifar(folder, Split::kTrain) || holds_cifar(folder, Split::kVal);
}

std::unique_ptr<Dataset> open_cifar_folder(const fs::path& folder, Split split) {
  const std::vector<fs::path> files = files_of(folder, split);
  if (files.empty()) {
    fail(ExitCode::kData, "{} has no {}", folder.string(),
         split == Split::kTrain ? "data_batch_1.bin ... data_batch_5.bin or train.bin"
                                : "test_batch.bin or test.bin");
  }
  return open_files(files, folder.string(), remarks_of(folder, split, files.size()));
}

std::unique_ptr<Dataset> open_cifar_file(const fs::path& file) {
  return open_files({file}, file.string(), {});
}

}  // namespace fcm::loader
