// Image towers in plain tensor calls and loops in float64. They give the expected values for
// teachers and use no code of fcm/. Sources: see fcm/interop/tower_names.h.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <numbers>
#include <string>

namespace fcm::test {

// Defaults are the sizes of the recipes' tiny towers. Weights have timm's names.
struct PlainTower {
  int64_t grid = 3, stride = 8, dim = 32, depth = 2, heads = 2, hidden = 64;
  bool class_token = true, positions = true, norm_before = false, layer_scale = false;
  bool rotary = false;
  int64_t registers = 0;
  std::string gelu = "gelu";  // "quick_gelu", "gelu_tanh"
  double epsilon = 1e-6;
  std::map<std::string, at::Tensor> weights;  // float64
};

// Mistakes that tests plant in a tower; the comparison must detect each.
enum class Mistake { kNone, kKeysForQueries, kNoLayerScale, kAxesExchanged, kRegistersTurned };

struct PlainTokens {
  at::Tensor last_BLD, normed_BLD;  // patches in raster order
};

class PlainPass {
 public:
  PlainPass(const PlainTower& tower, Mistake mistake) : tower_(tower), mistake_(mistake) {}

  PlainTokens operator()(const at::Tensor& images_BCHW) const {
    const at::Tensor map =
        at::conv2d(images_BCHW, weight("patch_embed.proj.weight"), weight("patch_embed.proj.bias"),
                   {tower_.stride, tower_.stride});
    at::Tensor x_BTD = map.flatten(2).transpose(1, 2);
    const int64_t batch = x_BTD.size(0), patches = x_BTD.size(1);
    if (tower_.class_token) {
      x_BTD = at::cat({weight("cls_token").expand({batch, -1, -1}), x_BTD}, 1);
    }
    if (tower_.positions) x_BTD = x_BTD + weight("pos_embed");
    if (tower_.registers > 0) {
      x_BTD = at::cat(
          {x_BTD.slice(1, 0, 1), weight("reg_token").expand({batch, -1, -1}), x_BTD.slice(1, 1)},
          1);
    }
    if (tower_.norm_before) x_BTD = norm("norm_pre", x_BTD);
    for (int64_t i = 0; i < tower_.depth; ++i) {
      const std::string block = "blocks." + std::to_string(i) + ".";
      x_BTD = x_BTD + scaled(block + "ls1", attention(block, norm(block + "norm1", x_BTD)));
      const at::Tensor hidden = gelu(linear(block + "mlp.fc1", norm(block + "norm2", x_BTD)));
      x_BTD = x_BTD + scaled(block + "ls2", linear(block + "mlp.fc2", hidden));
    }
    const int64_t front = x_BTD.size(1) - patches;
    return {x_BTD.slice(1, front), norm("norm", x_BTD).slice(1, front)};
  }

 private:
  const at::Tensor& weight(const std::string& name) const { return tower_.weights.at(name); }

  at::Tensor linear(const std::string& name, const at::Tensor& x) const {
    return at::matmul(x, weight(name + ".weight").t()) + weight(name + ".bias");
  }

  at::Tensor norm(const std::string& name, const at::Tensor& x) const {
    const at::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
    const at::Tensor variance = centred.square().mean(-1, /*keepdim=*/true);
    return centred / (variance + tower_.epsilon).sqrt() * weight(name + ".weight") +
           weight(name + ".bias");
  }

  at::Tensor scaled(const std::string& name, const at::Tensor& branch) const {
    if (!tower_.layer_scale || mistake_ == Mistake::kNoLayerScale) return branch;
    return branch * weight(name + ".gamma");
  }

  at::Tensor gelu(const at::Tensor& x) const {
    if (tower_.gelu == "quick_gelu") return x / (1 + (-1.702 * x).exp());
    if (tower_.gelu == "gelu_tanh") {
      const double root = std::sqrt(2 / std::numbers::pi);
      return 0.5 * x * (1 + (root * (x + 0.044715 * x.pow(3))).tanh());
    }
    return 0.5 * x * (1 + (x / std::sqrt(2.0)).erf());
  }

  at::Tensor attention(const std::string& block, const at::Tensor& x_BTD) const {
    const int64_t batch = x_BTD.size(0), tokens = x_BTD.size(1);
    const int64_t width = tower_.dim / tower_.heads;
    const at::Tensor qkv = linear(block + "attn.qkv", x_BTD);
    const auto heads_of = [&](int64_t third) {  // [B, heads, T, width]
      return qkv.narrow(2, third * tower_.dim, tower_.dim)
          .reshape({batch, tokens, tower_.heads, width})
          .transpose(1, 2)
          .contiguous();
    };
    at::Tensor query = heads_of(0), key = heads_of(1);
    const at::Tensor value = heads_of(2);
    if (tower_.rotary) {
      rotate(query);
      rotate(key);
    }
    if (mistake_ == Mistake::kKeysForQueries) std::swap(query, key);
    const at::Tensor scores =
        at::matmul(query, key.transpose(2, 3)) / std::sqrt(static_cast<double>(width));
    const at::Tensor mixed = at::matmul(scores.softmax(-1), value);
    return linear(block + "attn.proj", mixed.transpose(1, 2).reshape({batch, tokens, tower_.dim}));
  }

  // Rotary embedding, element by element: the channels of the first quarter rotate by the patch's
  // row, those of the second quarter by its column.
  void rotate(at::Tensor& heads_BHTE) const {
    auto number = heads_BHTE.accessor<double, 4>();
    const int64_t width = heads_BHTE.size(3), quarter = width / 4;
    const int64_t patches = tower_.grid * tower_.grid;
    int64_t front = heads_BHTE.size(2) - patches;
    if (mistake_ == Mistake::kRegistersTurned) --front;
    for (int64_t b = 0; b < heads_BHTE.size(0); ++b) {
      for (int64_t h = 0; h < heads_BHTE.size(1); ++h) {
        for (int64_t p = 0; p < patches; ++p) {
          for (int64_t e = 0; e < 2 * quarter; ++e) {
            const bool of_row = (e < quarter) != (mistake_ == Mistake::kAxesExchanged);
            const int64_t place = of_row ? p / tower_.grid : p % tower_.grid;
            const double coordinate =
                2 * (static_cast<double>(place) + 0.5) / static_cast<double>(tower_.grid) - 1;
            const double period = std::pow(
                100.0, 2 * static_cast<double>(e % quarter) / static_cast<double>(2 * quarter));
            const double angle = 2 * std::numbers::pi * coordinate / period;
            double& first = number[b][h][front + p][e];
            double& second = number[b][h][front + p][e + 2 * quarter];
            const double before = first;
            first = first * std::cos(angle) - second * std::sin(angle);
            second = second * std::cos(angle) + before * std::sin(angle);
          }
        }
      }
    }
  }

  const PlainTower& tower_;
  Mistake mistake_;
};

inline PlainTokens plain_tokens(const PlainTower& tower, const at::Tensor& images_BCHW,
                                Mistake mistake = Mistake::kNone) {
  return PlainPass(tower, mistake)(images_BCHW);
}

// Gives the tower every weight that its parts need, with random values, so that the features of
// patches differ.
inline void fill(PlainTower& tower) {
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, double centre = 0,
                       double spread = 0.3) {
    tower.weights[name] =
        (at::randn(shape, at::kDouble) * spread + centre).to(at::kFloat).to(at::kDouble);
  };
  const auto affine = [&](const std::string& name, std::vector<int64_t> shape) {
    const int64_t out = shape[0];
    add(name + ".weight", std::move(shape));
    add(name + ".bias", {out});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {tower.dim}, 1);
    add(name + ".bias", {tower.dim});
  };
  const int64_t dim = tower.dim;
  if (tower.class_token) add("cls_token", {1, 1, dim}, 0, 1);
  if (tower.registers > 0) add("reg_token", {1, tower.registers, dim}, 0, 1);
  if (tower.positions) {
    add("pos_embed", {1, tower.grid * tower.grid + (tower.class_token ? 1 : 0), dim}, 0, 1);
  }
  affine("patch_embed.proj", {dim, 3, tower.stride, tower.stride});
  if (tower.norm_before) norm("norm_pre");
  for (int64_t i = 0; i < tower.depth; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    norm(block + "norm1");
    affine(block + "attn.qkv", {3 * dim, dim});
    affine(block + "attn.proj", {dim, dim});
    norm(block + "norm2");
    affine(block + "mlp.fc1", {tower.hidden, dim});
    affine(block + "mlp.fc2", {dim, tower.hidden});
    if (!tower.layer_scale) continue;
    add(block + "ls1.gamma", {dim}, 0.5);
    add(block + "ls2.gamma", {dim}, 0.5);
  }
  norm("norm");
}

}  // namespace fcm::test
