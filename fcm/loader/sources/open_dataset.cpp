#include <algorithm>
#include <array>

#include "fcm/base/content.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/coco_folder.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/scene_folders.h"
#include "fcm/loader/sources/shard_names.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// Where CIFAR's files may be in --data: directly, or in the folder that the archive unpacks into.
constexpr std::array kCifarFolders{"", "cifar-10-batches-bin", "cifar-100-binary"};
constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";

std::unique_ptr<Dataset> open_fashion_mnist(Split split) {
  if (!is_folder(kFashionMnist, ExitCode::kData)) {
    fail(ExitCode::kData,
         "fashion-mnist is not installed: there is no {}; install the Debian package "
         "dataset-fashion-mnist",
         kFashionMnist);
  }
  return open_idx_folder(kFashionMnist, split,
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                          "Sneaker", "Bag", "Ankle boot"});
}

// Whether the file has the extension of a list (in any letter case).
bool is_list(const fs::path& file) {
  constexpr std::array<std::string_view, 5> kEndings{".txt", ".lst", ".list", ".csv", ".tsv"};
  return std::ranges::find(kEndings, lower_case(ending_of(file.string()))) != kEndings.end();
}

// How to use an archive; "" if the file is not an archive. `kind`: the result of content_kind;
// `name`: the file name in lower case.
std::string advice_on_archive(const std::string& kind, const std::string& name) {
  constexpr std::string_view kRead =
      "only tar archives of images (*.tar, webdataset's layout) are read in place";
  if (kind == "a tar archive") return fmt::format("rename it to *.tar: {}", kRead);
  if (kind.ends_with(" archive")) {
    const char* const program = kind == "a zip archive"     ? "unzip"
                                : kind == "a 7-Zip archive" ? "7z x"
                                                            : "unar";
    return fmt::format("unpack it ({} ...) and pass the folder as --data; {}", program, kRead);
  }
  if (!kind.starts_with("a compressed file")) return "";
  const bool is_tar = name.find(".tar") != std::string::npos || name.ends_with(".tgz") ||
                      name.ends_with(".tbz2") || name.ends_with(".txz");
  return fmt::format("{}{}",
                     is_tar ? "tar xf unpacks it into folders, gunzip (or bunzip2, unxz, unzstd) "
                              "into a *.tar; "
                            : "",
                     kRead);
}

std::unique_ptr<Dataset> open_file(const fs::path& file, Split split, const OpenOptions& options) {
  if (is_packed_file(file)) return open_packed_file(file, split);
  const std::string name = lower_case(file.filename().string());
  if (name.ends_with(".bin")) return open_cifar_file(file);
  if (name.find("idx3-ubyte") != std::string::npos) return open_idx_file(file, {});
  if (name.ends_with(".tar")) return open_tar_shards({file}, options);
  if (is_list(file)) return open_file_list(file);
  const RandomAccessFile opened(file);
  std::string begin(std::min<uint64_t>(opened.size(), kContentBytes), '\0');
  opened.read(0, {reinterpret_cast<uint8_t*>(begin.data()), begin.size()});
  const std::string kind = content_kind(begin);
  if (const std::string advice = advice_on_archive(kind, name); !advice.empty()) {
    fail(ExitCode::kData, "{} is not a supported kind of file but {}; {}", file.string(), kind,
         advice);
  }
  fail(ExitCode::kData,
       "{} is not a supported kind of file{}; expected a folder, a packed file, a list of images "
       "(*.txt, *.lst, *.csv), tar shards (*.tar), CIFAR records (*.bin) or IDX images "
       "(*idx3-ubyte, *idx3-ubyte.gz)",
       file.string(), kind.empty() ? "" : " but " + kind);
}

constexpr int64_t kFewImages = 8;  // so few may be mere examples beside records or shards

// Whether the folder mainly holds images, so that a stray archive or train.bin beside them does not
// determine its kind.
bool holds_mainly_images(const fs::path& folder) {
  const ImageSigns signs = image_signs_in(folder);
  return signs.folders > 0 || signs.images > kFewImages;
}

bool is_fewer_than_images(const std::vector<fs::path>& shards, const fs::path& folder) {
  if (shards.empty()) return true;
  const ImageSigns signs = image_signs_in(folder);
  const int64_t count = std::ssize(shards);
  return signs.folders >= count || signs.images > std::max(kFewImages, count);
}

// The *.tar files of the split. Empty if images outnumber them: at least as many folders of images
// as shards, or more images than shards and than kFewImages.
std::vector<fs::path> find_shards(const fs::path& folder, Split split, Remarks& remarks) {
  // Downloaded archives often lie beside the train/ and val/ that were unpacked from them.
  const SplitFolders splits = split_folders_in(folder);
  const fs::path place = folder / splits.of(split);
  if (splits.of(split).empty()) {
    std::vector<fs::path> shards = shards_in(folder, split, remarks);
    return is_fewer_than_images(shards, place) ? std::vector<fs::path>() : shards;
  }
  refuse_rivals(folder, splits, split);
  remarks.warnings = warnings_of(splits);
  remarks.left_out.add(splits.files);
  remarks.left_out_of_both_splits.add(splits.files);
  std::vector<fs::path> shards = all_shards_in(place, remarks);
  return is_fewer_than_images(shards, place) ? std::vector<fs::path>() : shards;
}

bool holds_any_image(const fs::path& folder) {
  const ImageSigns signs = image_signs_in(folder);
  return signs.folders + signs.images > 0;
}

// Whether the folder mainly holds IDX files. A stray or damaged IDX file does not determine its
// kind.
bool holds_mainly_idx(const fs::path& folder) {
  const ImageSigns signs = image_signs_in(folder);
  return begins_as_idx(folder) && signs.folders < 2 && signs.images <= kFewImages &&
         !split_folders_in(folder).any();
}

// Refuses a folder with data of a known but unsupported kind.
void refuse_other_data(const fs::path& folder) {
  for (const char* inside : {"", "cifar-10-batches-py", "cifar-100-python"}) {
    std::error_code ignored;
    const auto has = [&](const char* name) {
      return fs::is_regular_file(folder / inside / name, ignored);
    };
    const bool is_known =
        has("batches.meta") || has("data_batch_1") || (has("meta") && has("train"));
    if (is_known && !holds_mainly_images(folder)) {
      fail(ExitCode::kData,
           "{} holds the Python version of CIFAR (pickles); only the binary version is supported "
           "(cifar-10-binary.tar.gz or cifar-100-binary.tar.gz)",
           (folder / inside).string());
    }
  }
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, Split split,
                                     const OpenOptions& options) {
  if (const auto coco = coco_paths_in(folder, split)) return open_coco_folder(folder, *coco);
  if (const auto scenes = scene_folders_in(folder, split)) {
    return open_scene_folders(folder, *scenes);
  }
  for (const char* inside : kCifarFolders) {
    if (!holds_cifar(folder / inside) || holds_mainly_images(folder / inside)) continue;
    return open_cifar_folder(folder / inside, split);
  }
  const bool has_idx = holds_idx(folder);
  if (has_idx && holds_mainly_idx(folder)) return open_idx_folder(folder, split, {});
  Remarks remarks;
  if (auto shards = find_shards(folder, split, remarks); !shards.empty()) {
    return open_tar_shards(std::move(shards), options, std::move(remarks));
  }
  // The folder holds nothing else, so opening the IDX files reports their fault.
  if (has_idx && !holds_any_image(folder)) return open_idx_folder(folder, split, {});
  refuse_other_data(folder);
  return open_image_folder(folder, split, options);
}

}  // namespace

bool has_split(const fs::path& data, Split split) {
  std::error_code ignored;
  if (!fs::is_directory(data, ignored)) return false;
  if (holds_coco(data)) return holds_coco(data, split);
  if (holds_scenes(data)) return holds_scenes(data, split);
  const SplitFolders splits = split_folders_in(folder_with_splits(data));
  if (splits.any()) return !splits.of(split).empty();
  for (const char* inside : kCifarFolders) {
    if (holds_cifar(data / inside, split)) return true;
  }
  Remarks unsaid;
  return holds_idx(data, split) || !shards_in(data, split, unsaid).empty();
}

std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options) {
  if (data.empty())
    fail(ExitCode::kData, "--data is empty: give a folder, a file or the name of a set");
  if (data == "synthetic") return make_synthetic(split, options.wanted);
  if (data == "fashion-mnist") return open_fashion_mnist(split);
  const fs::path path = data;
  if (is_folder(path, ExitCode::kData)) return open_folder(path, split, options);
  if (is_ordinary_file(path, ExitCode::kData)) return open_file(path, split, options);
  if (data.find('{') != std::string::npos) return open_tar_shards(expand_ranges(data), options);
  if (is_there(path, ExitCode::kData)) {
    fail(ExitCode::kData, "{} is neither a folder nor a regular file", data);
  }
  fail(ExitCode::kData,
       "{} does not exist; --data takes a folder of class folders, a folder with images/ and "
       "annotations/, a folder in COCO's layout, a packed file, a list of images (*.txt), tar "
       "shards, CIFAR or IDX files, \"fashion-mnist\" or \"synthetic\"",
       data);
}

}  // namespace fcm::loader
