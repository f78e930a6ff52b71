#include "fcm/reference/classifier.h"

#include <ATen/ATen.h>

#include <functional>
#include <numeric>

#include "fcm/base/error.h"
#include "fcm/reference/keys.h"
#include "fcm/reference/layers.h"

namespace fcm::reference {
namespace {

std::string stage_name(const ClassifierOptions& options, size_t stage) {
  return options.has_class_token() ? "blocks" : "blocks" + std::to_string(stage + 1);
}

// One forward pass: what all its steps need.
class Pass {
 public:
  Pass(const Layers& layers, const ClassifierOptions& options, const nn::DropPath& drop_path,
       const nn::Observer& observer)
      : layers_(layers), options_(options), drop_path_(drop_path), observer_(observer) {}

  // Tokens [B, L, D] of a ConvViT.
  at::Tensor conv_vit(const at::Tensor& images_BCHW) {
    at::Tensor x = images_BCHW;
    for (size_t stage = 0; stage < 2; ++stage) {
      x = patch_embed(x, stage);
      for (int64_t block = 0; block < options_.depths[stage]; ++block) {
        const std::string name = stage_name(options_, stage) + "." + std::to_string(block);
        x = seen(name, layers_.conv_block(name, x, {}, next_scales()));
      }
    }
    x = patch_embed(x, 2).flatten(2).transpose(1, 2);
    x = seen("patch_embed4", layers_.linear("patch_embed4", x));
    return transformer(x + layers_.weight("pos_embed"), 2);
  }

  // Tokens [B, 1 + L, D] of a ViT, the class token first.
  at::Tensor vit(const at::Tensor& images_BCHW) {
    const at::Tensor patches_BLD =
        seen("patch_embed", layers_.conv("patch_embed.proj", images_BCHW, options_.strides[0])
                                .flatten(2)
                                .transpose(1, 2));
    const at::Tensor class_token =
        layers_.weight("cls_token").expand({patches_BLD.size(0), 1, options_.dims[0]});
    return transformer(at::cat({class_token, patches_BLD}, 1) + layers_.weight("pos_embed"), 0);
  }

  at::Tensor pooled(const at::Tensor& tokens_BTD) {
    if (options_.mean_pool) {
      const int64_t first = options_.has_class_token() ? 1 : 0;
      const at::Tensor mean_BD = tokens_BTD.slice(1, first).mean(1);
      return seen("fc_norm", layers_.layer_norm("fc_norm", mean_BD, kTransformerNormEpsilon));
    }
    return seen("norm", layers_.layer_norm("norm", tokens_BTD, kTransformerNormEpsilon))
        .select(1, 0);
  }

 private:
  const at::Tensor& seen(const std::string& name, const at::Tensor& value) const {
    nn::observe(observer_, name, value);
    return value;
  }

  at::Tensor patch_embed(const at::Tensor& x_BCHW, size_t stage) {
    const std::string name = "patch_embed" + std::to_string(stage + 1);
    return seen(name, layers_.patch_embed(name, x_BCHW, options_.strides[stage]));
  }

  at::Tensor transformer(at::Tensor x_BTD, size_t stage) {
    seen(stage_name(options_, stage) + "_in", x_BTD);
    for (int64_t block = 0; block < options_.depths[stage]; ++block) {
      const std::string name = stage_name(options_, stage) + "." + std::to_string(block);
      x_BTD = seen(name, layers_.transformer_block(name, x_BTD, options_.heads, next_scales()));
    }
    return x_BTD;
  }

  nn::BranchScales next_scales() { return nn::branch_scales(drop_path_, block_++); }

  const Layers& layers_;
  const ClassifierOptions& options_;
  const nn::DropPath& drop_path_;
  const nn::Observer& observer_;
  int64_t block_ = 0;  // over all stages
};

void check(const ClassifierOptions& options, const at::Tensor& images_BCHW) {
  const size_t stages = options.strides.size();
  require((stages == 1 || stages == 3) && options.dims.size() == stages &&
              options.depths.size() == stages && options.mlp_ratios.size() == stages,
          "a classifier has one stage or three");
  const int64_t side = options.patch_side();
  if (options.rows % side != 0 || options.cols % side != 0) {
    fail(ExitCode::kUsage,
         "pictures of {} x {} pixels do not divide into patches of {} x {}; choose multiples of {}",
         options.rows, options.cols, side, side, side);
  }
  require(images_BCHW.dim() == 4 && images_BCHW.size(1) == options.channels &&
              images_BCHW.size(2) == options.rows && images_BCHW.size(3) == options.cols,
          "pictures of another shape than the classifier's");
}

}  // namespace

int64_t ClassifierOptions::patch_side() const {
  return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
}

ClassifierResult classify(const Weights& weights, const ClassifierOptions& options,
                          const at::Tensor& images_BCHW, const nn::DropPath& drop_path,
                          const nn::Observer& observer) {
  check(options, images_BCHW);
  const Layers layers(weights, options.compute);
  const at::Tensor images = images_BCHW.to(layers.weight("head.weight").scalar_type());
  Pass pass(layers, options, drop_path, observer);
  ClassifierResult result;
  result.features_BD =
      pass.pooled(options.has_class_token() ? pass.vit(images) : pass.conv_vit(images));
  result.logits_BC = layers.linear("head", result.features_BD);
  return result;
}

NamesAndShapes classifier_names_and_shapes(const ClassifierOptions& options) {
  const auto& dims = options.dims;
  const auto& strides = options.strides;
  const int64_t last = dims.back();
  Keys keys;
  if (options.has_class_token()) {
    keys.add("cls_token", {1, 1, last});
    keys.add("pos_embed", {1, 1 + options.patches(), last});
    keys.affine("patch_embed.proj", {last, options.channels, strides[0], strides[0]});
  } else {
    keys.add("pos_embed", {1, options.patches(), last});
    keys.patch_embed("patch_embed1", options.channels, dims[0], strides[0]);
    keys.patch_embed("patch_embed2", dims[0], dims[1], strides[1]);
    keys.patch_embed("patch_embed3", dims[1], last, strides[2]);
    keys.affine("patch_embed4", {last, last});
  }
  for (size_t stage = 0; stage < dims.size(); ++stage) {
    const int64_t hidden = hidden_width(dims[stage], options.mlp_ratios[stage]);
    for (int64_t block = 0; block < options.depths[stage]; ++block) {
      const std::string name = stage_name(options, stage) + "." + std::to_string(block);
      if (stage + 1 < dims.size()) {
        keys.conv_block(name, dims[stage], hidden);
      } else {
        keys.transformer_block(name, dims[stage], hidden);
      }
    }
  }
  if (!options.mean_pool) keys.affine("norm", {last});
  keys.affine("head", {options.classes, last});
  if (options.mean_pool) keys.affine("fc_norm", {last});
  return keys.take();
}

}  // namespace fcm::reference
