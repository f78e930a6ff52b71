// Lists of upstream keys, module by module.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "reference/reference.h"

namespace fcm::reference {

using Shape = std::vector<int64_t>;

inline int64_t hidden_width(int64_t dim, double ratio) {
  return static_cast<int64_t>(static_cast<double>(dim) * ratio);  // Python's int()
}

// Appends keys in the order in which upstream modules register them.
class Keys {
 public:
  void add(const std::string& name, Shape shape) { keys_.emplace_back(name, std::move(shape)); }

  // A weight, and a bias as long as its first dimension.
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

  // A block of the cross decoder. from: width of the tokens that it reads; mixed: number of sources
  // that it mixes, 0: it reads only the last one.
  void cross_block(const std::string& name, int64_t dim, int64_t hidden, int64_t from,
                   int64_t mixed) {
    if (mixed > 0) {
      add(name + ".mix.weight", {1, mixed});
      affine(name + ".norm_kv", {from});
    }
    affine(name + ".norm1", {dim});
    affine(name + ".cross_attn.q", {dim, dim});
    affine(name + ".cross_attn.kv", {2 * dim, from});
    affine(name + ".cross_attn.proj", {dim, dim});
    affine(name + ".norm2", {dim});
    affine(name + ".mlp.fc1", {hidden, dim});
    affine(name + ".mlp.fc2", {dim, hidden});
  }

  // <name>.0 to <name>.<depth - 1>
  void transformer_blocks(const std::string& name, int64_t depth, int64_t dim, double mlp_ratio) {
    for (int64_t block = 0; block < depth; ++block) {
      transformer_block(name + "." + std::to_string(block), dim, hidden_width(dim, mlp_ratio));
    }
  }

  // The keys of a ConvViT that pretraining and classifiers share. Lists have one element per stage.
  void conv_vit_embeds(int64_t channels, const Shape& strides, const Shape& dims) {
    patch_embed("patch_embed1", channels, dims[0], strides[0]);
    patch_embed("patch_embed2", dims[0], dims[1], strides[1]);
    patch_embed("patch_embed3", dims[1], dims[2], strides[2]);
    affine("patch_embed4", {dims[2], dims[2]});
  }
  void conv_vit_blocks(const Shape& dims, const Shape& depths,
                       const std::vector<double>& mlp_ratios) {
    for (size_t stage = 0; stage < 2; ++stage) {
      for (int64_t block = 0; block < depths[stage]; ++block) {
        conv_block("blocks" + std::to_string(stage + 1) + "." + std::to_string(block), dims[stage],
                   hidden_width(dims[stage], mlp_ratios[stage]));
      }
    }
    transformer_blocks("blocks3", depths[2], dims[2], mlp_ratios[2]);
  }

  void vit(int64_t channels, int64_t side, int64_t dim, int64_t depth, double mlp_ratio) {
    affine("patch_embed.proj", {dim, channels, side, side});
    transformer_blocks("blocks", depth, dim, mlp_ratio);
  }

  NamesAndShapes take() { return std::move(keys_); }

 private:
  NamesAndShapes keys_;
};

}  // namespace fcm::reference
