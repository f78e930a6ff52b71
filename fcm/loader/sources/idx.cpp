// IDX: a big-endian header (magic, then one 32-bit size per dimension), then unsigned bytes.
#include <algorithm>
#include <array>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/gzip.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kImagesMagic = 0x00000803, kLabelsMagic = 0x00000801;
constexpr size_t kImagesHead = 16, kLabelsHead = 8;
constexpr uint64_t kMostSide = 8192;

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void check_magic(const uint8_t* head, uint32_t magic, const char* what, const std::string& path) {
  if (big_endian(head) != magic) {
    fail(ExitCode::kData, "{} is not an IDX file of {}: it begins with {:08x}, not {:08x}", path,
         what, big_endian(head), magic);
  }
}

uint64_t images_size(const uint8_t* head, const std::string& path) {
  check_magic(head, kImagesMagic, "images (3 dimensions of bytes)", path);
  const uint64_t count = big_endian(head + 4), rows = big_endian(head + 8),
                 cols = big_endian(head + 12);
  if (count == 0 || rows == 0 || cols == 0 || rows > kMostSide || cols > kMostSide) {
    fail(ExitCode::kData, "{} claims {} images of {}x{} pixels", path, count, cols, rows);
  }
  return kImagesHead + count * rows * cols;  // below 2^32 * 2^26
}

uint64_t labels_size(const uint8_t* head, const std::string& path) {
  check_magic(head, kLabelsMagic, "labels (1 dimension of bytes)", path);
  return kLabelsHead + big_endian(head + 4);
}

// The path itself if that file exists, else the path with .gz appended.
std::optional<fs::path> plain_or_packed(const fs::path& path) {
  for (const char* ending : {"", ".gz"}) {
    fs::path candidate = path.string() + ending;
    if (is_ordinary_file(candidate, ExitCode::kData)) return candidate;
  }
  return std::nullopt;
}

std::optional<fs::path> find_images(const fs::path& folder, Split split) {
  const std::vector<std::string> prefixes = split == Split::kTrain
                                                ? std::vector<std::string>{"train"}
                                                : std::vector<std::string>{"t10k", "test", "val"};
  for (const std::string& prefix : prefixes) {
    for (const char* name : {"-images-idx3-ubyte", "-images.idx3-ubyte"}) {
      if (auto found = plain_or_packed(folder / (prefix + name))) return found;
    }
  }
  return std::nullopt;
}

fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"images", "labels"}, {"idx3", "idx1"}}) {
    const size_t at = name.rfind(from);
    if (at == std::string::npos) {
      fail(ExitCode::kData, "cannot derive the label file of {}: its name should contain \"{}\"",
           images.string(), from);
    }
    name.replace(at, from.size(), to);
  }
  const auto found = plain_or_packed(images.parent_path() / name);
  if (!found) {
    fail(ExitCode::kData, "{} has no labels: neither {} nor {}.gz exists beside it",
         images.string(), name, name);
  }
  return *found;
}

std::vector<uint8_t> read_labels(const fs::path& images, uint64_t count) {
  const fs::path path = labels_beside(images);
  std::vector<uint8_t> labels = read_sized_file(path, kLabelsHead, labels_size);
  labels.erase(labels.begin(), labels.begin() + kLabelsHead);
  if (labels.size() != count) {
    fail(ExitCode::kData, "{} has {} images but {} has {} labels", images.string(), count,
         path.string(), labels.size());
  }
  return labels;
}

RawImages read_idx(const fs::path& images, std::vector<std::string> classes) {
  std::vector<uint8_t> file = read_sized_file(images, kImagesHead, images_size);
  RawImages held;
  held.origin = images.string();
  held.rows = big_endian(file.data() + 8);
  held.cols = big_endian(file.data() + 12);
  held.channels = 1;
  const uint64_t count = big_endian(file.data() + 4);
  file.erase(file.begin(), file.begin() + kImagesHead);
  held.pixels = std::move(file);
  try {
    held.labels = read_labels(images, count);
  } catch (const Error& error) {  // reported when labels are used; images need no labels
    if (error.code() != ExitCode::kData) throw;
    held.label_fault = error.what();
    return held;
  }
  if (classes.empty()) {
    const std::vector<int32_t> numbers(held.labels.begin(), held.labels.end());
    classes = numbered_classes(numbers, held.remarks);
  }
  held.classes = std::move(classes);
  return held;
}

}  // namespace

bool holds_idx(const fs::path& folder, Split split) {
  return find_images(folder, split).has_value();
}

bool holds_idx(const fs::path& folder) {
  return holds_idx(folder, Split::kTrain) || holds_idx(folder, Split::kVal);
}

bool begins_as_idx(const fs::path& folder) {
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const auto images = find_images(folder, split);
    if (!images) continue;
    const RandomAccessFile file(*images);
    std::array<uint8_t, 4> begin{};
    if (file.size() < kImagesHead) continue;
    file.read(0, begin);
    constexpr uint32_t kGzip = 0x1f8b0800;
    const bool packed = images->extension() == ".gz";
    if (packed ? big_endian(begin.data()) >> 8 == kGzip >> 8
               : big_endian(begin.data()) == kImagesMagic) {
      return true;
    }
  }
  return false;
}

std::unique_ptr<Dataset> open_idx_file(const fs::path& images, std::vector<std::string> classes) {
  return hold_in_memory(read_idx(images, std::move(classes)));
}

std::unique_ptr<Dataset> open_idx_folder(const fs::path& folder, Split split,
                                         std::vector<std::string> classes) {
  const auto images = find_images(folder, split);
  if (!images) {
    fail(ExitCode::kData, "{} has no {}-images-idx3-ubyte, neither plain nor .gz", folder.string(),
         split == Split::kTrain ? "train" : "t10k");
  }
  RawImages held = read_idx(*images, std::move(classes));
  held.remarks.left_out_of_both_splits = held.remarks.left_out = files_beside(
      folder, [](const std::string& name) { return name.find("-ubyte") != std::string::npos; });
  return hold_in_memory(std::move(held));
}

}  // namespace fcm::loader
