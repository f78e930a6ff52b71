// Raw pixels of Fashion-MNIST as features, if Debian's package of it is installed.
#pragma once

#include <ATen/ATen.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace fcm::eval {

inline std::string fashion_mnist_folder() { return "/usr/share/datasets/fashion-mnist/"; }
inline bool have_fashion_mnist() {
  return std::filesystem::exists(fashion_mnist_folder() + "train-images-idx3-ubyte.gz");
}

// The first `count` items of a gzipped IDX file, each of `size` bytes, after `header` bytes.
inline at::Tensor read_idx(const std::string& file, int64_t header, int64_t count, int64_t size) {
  const std::string command = "gzip -dc " + fashion_mnist_folder() + file + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<char> skipped(static_cast<size_t>(header));
  at::Tensor bytes = at::empty({count, size}, at::kByte);
  if (!pipe || fread(skipped.data(), 1, skipped.size(), pipe.get()) != skipped.size() ||
      fread(bytes.mutable_data_ptr(), 1, bytes.nbytes(), pipe.get()) != bytes.nbytes()) {
    throw std::runtime_error("cannot read " + file);
  }
  return bytes;
}

struct Labelled {
  at::Tensor features_ND, labels_N;  // float32 in [0, 1], int64
};

// part: "train" or "t10k".
inline Labelled fashion_mnist(const std::string& part, int64_t count) {
  return {read_idx(part + "-images-idx3-ubyte.gz", 16, count, 28 * 28).to(at::kFloat) / 255,
          read_idx(part + "-labels-idx1-ubyte.gz", 8, count, 1).squeeze(1).to(at::kLong)};
}

}  // namespace fcm::eval
