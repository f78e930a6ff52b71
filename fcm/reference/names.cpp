#include <cmath>
#include <numeric>

#include "fcm/reference/reference.h"

namespace fcm::reference {
namespace {

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

  std::vector<std::pair<std::string, Shape>> take() { return std::move(keys_); }

 private:
  std::vector<std::pair<std::string, Shape>> keys_;
};

int64_t hidden_width(int64_t dim, double ratio) {
  return static_cast<int64_t>(static_cast<double>(dim) * ratio);  // Python's int()
}

}  // namespace

int64_t ReferenceOptions::patch_side() const {
  return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
}

int64_t ReferenceOptions::patch_dim() const { return patch_side() * patch_side() * channels; }

namespace {

void conv_vit(Keys& keys, const ReferenceOptions& options) {
  const auto& dims = options.dims;
  const auto& strides = options.strides;
  const int64_t last = dims[2];
  keys.patch_embed("patch_embed1", options.channels, dims[0], strides[0]);
  keys.patch_embed("patch_embed2", dims[0], dims[1], strides[1]);
  keys.patch_embed("patch_embed3", dims[1], last, strides[2]);
  keys.affine("patch_embed4", {last, last});
  const int64_t across = strides[1] * strides[2];  // cells of stage 1 along a patch
  keys.affine("stage1_output_decode", {last, dims[0], across, across});
  keys.affine("stage2_output_decode", {last, dims[1], strides[2], strides[2]});
  for (size_t stage = 0; stage < 3; ++stage) {
    const int64_t hidden = hidden_width(dims[stage], options.mlp_ratios[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      const std::string name = "blocks" + std::to_string(stage + 1) + "." + std::to_string(block);
      if (stage < 2) {
        keys.conv_block(name, dims[stage], hidden);
      } else {
        keys.transformer_block(name, dims[stage], hidden);
      }
    }
  }
}

void vit(Keys& keys, const ReferenceOptions& options) {
  const int64_t dim = options.dims[0], side = options.strides[0];
  keys.affine("patch_embed.proj", {dim, options.channels, side, side});
  for (int64_t block = 0; block < options.depths[0]; ++block) {
    keys.transformer_block("blocks." + std::to_string(block), dim,
                           hidden_width(dim, options.mlp_ratios[0]));
  }
}

}  // namespace

std::vector<std::pair<std::string, Shape>> expected_names_and_shapes(
    const ReferenceOptions& options) {
  const int64_t last = options.dims.back(), decoder = options.decoder_dim;
  const bool is_vit = options.kind == Kind::kVit;
  const int64_t positions = options.patches() + (is_vit ? 1 : 0);
  Keys keys;
  if (is_vit) keys.add("cls_token", {1, 1, last});
  keys.add("pos_embed", {1, positions, last});
  keys.add("mask_token", {1, 1, decoder});
  keys.add("decoder_pos_embed", {1, positions, decoder});
  if (is_vit) {
    vit(keys, options);
  } else {
    conv_vit(keys, options);
  }
  keys.affine("norm", {last});
  keys.affine("decoder_embed", {decoder, last});
  for (int64_t block = 0; block < options.decoder_depth; ++block) {
    keys.transformer_block("decoder_blocks." + std::to_string(block), decoder,
                           hidden_width(decoder, options.decoder_mlp_ratio));
  }
  keys.affine("decoder_norm", {decoder});
  keys.affine("decoder_pred", {options.patch_dim(), decoder});
  return keys.take();
}

}  // namespace fcm::reference
