#include <algorithm>
#include <array>

#include "fcm/base/content.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/picture_ending.h"
#include "fcm/loader/sources/random_access_file.h"
#include "fcm/loader/sources/shard_names.h"
#include "fcm/loader/sources/sources.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

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

// By its ending, in any case.
bool is_list(const fs::path& file) {
  constexpr std::array<std::string_view, 5> kEndings{".txt", ".lst", ".list", ".csv", ".tsv"};
  return std::ranges::find(kEndings, lower_case(ending_of(file.string()))) != kEndings.end();
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
  fail(ExitCode::kData,
       "{} is a file of no known kind{}; expected a folder, a packed file, a list of pictures "
       "(*.txt, *.lst, *.csv), tar shards (*.tar), CIFAR records (*.bin) or IDX pictures "
       "(*idx3-ubyte, *idx3-ubyte.gz)",
       file.string(), kind.empty() ? "" : " but " + kind);
}

bool holds_picture(const fs::path& folder, int depth) {
  std::error_code error, ignored;
  std::vector<fs::path> below;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_picture_ending(entry->path().extension().string())) return true;
    if (depth > 0 && entry->is_directory(ignored)) below.push_back(entry->path());
  }
  return std::ranges::any_of(below,
                             [&](const fs::path& path) { return holds_picture(path, depth - 1); });
}

// How many folders in it hold a picture, directly or one level deeper. A stray archive or train.bin
// beside them does not decide what the set is.
int64_t picture_folders_in(const fs::path& folder) {
  std::error_code error, ignored;
  int64_t count = 0;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool counts = kind_of_hidden(name).empty() && !is_of_the_system(name);
    if (counts && entry->is_directory(ignored) && holds_picture(entry->path(), 1)) ++count;
  }
  return count;
}

// The *.tar that are the split; none where there are no shards, or no more than folders of
// pictures.
std::vector<fs::path> find_shards(const fs::path& folder, Split split, Remarks& remarks) {
  // The published archives often lie beside the train/ and val/ that were unpacked from them.
  const SplitFolders splits = split_folders_in(folder);
  const fs::path place = folder / splits.of(split);
  if (!splits.of(split).empty()) remarks.left_out.add(splits.files);
  std::vector<fs::path> shards =
      splits.of(split).empty() ? shards_in(folder, split, remarks) : all_shards_in(place, remarks);
  if (!shards.empty() && picture_folders_in(place) >= std::ssize(shards)) shards.clear();
  return shards;
}

// Says of a folder without pictures what it is known to be.
void refuse_other_data(const fs::path& folder) {
  for (const char* inside : {"", "cifar-10-batches-py", "cifar-100-python"}) {
    std::error_code ignored;
    const auto has = [&](const char* name) {
      return fs::is_regular_file(folder / inside / name, ignored);
    };
    if (has("batches.meta") || has("data_batch_1") || (has("meta") && has("train"))) {
      fail(ExitCode::kData,
           "{} holds CIFAR as pickles for Python; the binary version is read "
           "(cifar-10-binary.tar.gz or cifar-100-binary.tar.gz)",
           (folder / inside).string());
    }
  }
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, Split split,
                                     const OpenOptions& options) {
  // The archives of CIFAR unpack into a folder of their own.
  for (const char* inside : {"", "cifar-10-batches-bin", "cifar-100-binary"}) {
    if (!holds_cifar(folder / inside) || picture_folders_in(folder / inside) > 0) continue;
    return open_cifar_folder(folder / inside, split);
  }
  if (holds_idx(folder)) return open_idx_folder(folder, split, {});
  Remarks remarks;
  if (auto shards = find_shards(folder, split, remarks); !shards.empty()) {
    return open_tar_shards(std::move(shards), options, std::move(remarks));
  }
  refuse_other_data(folder);
  return open_image_folder(folder, split, options);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options) {
  if (data.empty()) fail(ExitCode::kData, "--data is empty: name a folder, a file or a set");
  if (data == "synthetic") return make_synthetic(split);
  if (data == "fashion-mnist") return open_fashion_mnist(split);
  const fs::path path = data;
  if (is_folder(path, ExitCode::kData)) return open_folder(path, split, options);
  if (is_ordinary_file(path, ExitCode::kData)) return open_file(path, split, options);
  if (data.find('{') != std::string::npos) return open_tar_shards(expand_ranges(data), options);
  if (is_there(path, ExitCode::kData)) {
    fail(ExitCode::kData, "{} is neither a folder nor a regular file", data);
  }
  fail(ExitCode::kData,
       "{} does not exist; --data takes a folder of class folders, a packed file, a list of "
       "pictures (*.txt), tar shards, CIFAR or IDX files, \"fashion-mnist\" or \"synthetic\"",
       data);
}

}  // namespace fcm::loader
