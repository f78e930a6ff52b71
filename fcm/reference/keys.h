// Lists of published keys, module by module.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fcm/reference/reference.h"

namespace fcm::reference {

using Shape = std::vector<int64_t>;

// Appends keys in the order in which the published modules register them.
class Keys {
 public:
  void add(const std::string& name, Shape shape) { keys_.emplace_back(name, std::move(shape)); }

  // A weight whose first dimension is the width of its bias.
  void affine(const std::string& name, Shape weight) {
    const int64_t width = weight.front();
    add(name + ".weight", std::move(weight));
    add(name + ".bias", {width});
  }

  void patch_embed(const std::string& name, int64_t in, int64_t out, int64_t stride) {
    affine(name + ".proj", {out, in, stride, stride});
    affine(name + ".norm", {out});
  }

  void conv_block(const std::string& name, int64_t dim, int64_t hidden) {
    affine(name + ".norm1", {dim});
    affine(name + ".conv1", {dim, dim, 1, 1});
    affine(name + ".conv2", {dim, dim, 1, 1});
    affine(name + ".attn", {dim, 1, 5, 5});
    affine(name + ".norm2", {dim});
    affine(name + ".mlp.fc1", {hidden, dim, 1, 1});
    affine(name + ".mlp.fc2", {dim, hidden, 1, 1});
  }

  void transformer_block(const std::string& name, int64_t dim, int64_t hidden) {
    affine(name + ".norm1", {dim});
    affine(name + ".attn.qkv", {3 * dim, dim});
    affine(name + ".attn.proj", {dim, dim});
    affine(name + ".norm2", {dim});
    affine(name + ".mlp.fc1", {hidden, dim});
    affine(name + ".mlp.fc2", {dim, hidden});
  }

  NamesAndShapes take() { return std::move(keys_); }

 private:
  NamesAndShapes keys_;
};

inline int64_t hidden_width(int64_t dim, double ratio) {
  return static_cast<int64_t>(static_cast<double>(dim) * ratio);  // Python's int()
}

}  // namespace fcm::reference
