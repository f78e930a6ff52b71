#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/sources/shard_names.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";

std::unique_ptr<Dataset> open_fashion_mnist(Split split) {
  if (!fs::is_directory(kFashionMnist)) {
    fail(ExitCode::kData,
         "fashion-mnist is not installed: there is no {}; install the Debian package "
         "dataset-fashion-mnist",
         kFashionMnist);
  }
  return open_idx_folder(kFashionMnist, split,
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                          "Sneaker", "Bag", "Ankle boot"});
}

std::unique_ptr<Dataset> open_file(const fs::path& file, Split split, const OpenOptions& options) {
  if (is_packed_file(file)) return open_packed_file(file, split);
  const std::string name = file.filename().string();
  if (name.ends_with(".bin")) return open_cifar_file(file);
  if (name.find("idx3-ubyte") != std::string::npos) return open_idx_file(file, {});
  if (name.ends_with(".tar")) return open_tar_shards({file}, options);
  if (name.ends_with(".txt")) return open_file_list(file);
  fail(ExitCode::kData,
       "{} is a file of no known kind: expected a folder, a packed file, a list of pictures "
       "(*.txt), "
       "tar shards (*.tar), CIFAR records (*.bin) or IDX pictures (*idx3-ubyte, *idx3-ubyte.gz)",
       file.string());
}

// The *.tar that are the split; none where there are no shards.
std::vector<fs::path> find_shards(const fs::path& folder, Split split) {
  // The published archives often lie beside the train/ and val/ that were unpacked from them.
  const fs::path inside = folder / (split == Split::kTrain ? "train" : "val");
  if (fs::is_directory(inside)) return shards_in(inside, split);
  return shards_in(folder, split);
}

std::unique_ptr<Dataset> open_folder(const fs::path& folder, Split split,
                                     const OpenOptions& options) {
  // The archives of CIFAR unpack into a folder of their own.
  for (const char* inside : {"", "cifar-10-batches-bin", "cifar-100-binary"}) {
    if (holds_cifar(folder / inside)) return open_cifar_folder(folder / inside, split);
  }
  if (holds_idx(folder)) return open_idx_folder(folder, split, {});
  if (auto shards = find_shards(folder, split); !shards.empty()) {
    return open_tar_shards(std::move(shards), options);
  }
  return open_image_folder(folder, split, options);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& data, Split split,
                                      const OpenOptions& options) {
  if (data.empty()) fail(ExitCode::kData, "--data is empty: name a folder, a file or a set");
  if (data == "synthetic") return make_synthetic(split);
  if (data == "fashion-mnist") return open_fashion_mnist(split);
  const fs::path path = data;
  if (fs::is_directory(path)) return open_folder(path, split, options);
  if (fs::is_regular_file(path)) return open_file(path, split, options);
  if (data.find('{') != std::string::npos) return open_tar_shards(expand_ranges(data), options);
  if (fs::exists(path)) fail(ExitCode::kData, "{} is neither a folder nor a regular file", data);
  fail(ExitCode::kData,
       "{} does not exist; --data takes a folder of class folders, a packed file, a list of "
       "pictures (*.txt), tar shards, CIFAR or IDX files, \"fashion-mnist\" or \"synthetic\"",
       data);
}

}  // namespace fcm::loader
