// The upstream pretraining models FastConvMAE, ConvMAE and MAE in plain tensor calls: oracle and
// baseline.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fcm/nn/observer.h"

namespace fcm::reference {

enum class Kind {
  kConvVit,  // three stages: two of conv blocks, one of transformer blocks (FastConvMAE, ConvMAE)
  kVit,      // one stage, a class token in front of the patches (MAE)
};

// By its name in recipes, "conv_vit" or "vit". Throws Error(kUsage) for any other.
Kind kind_named(const std::string& name);

// The size of the images and of the encoder.
struct EncoderSizes {
  Kind kind = Kind::kConvVit;
  int64_t rows = 224;  // of the image, in pixels
  int64_t cols = 224;
  int64_t channels = 3;
  std::vector<int64_t> strides{4, 2, 2};  // like dims, depths and mlp_ratios: one element per stage
  std::vector<int64_t> dims{256, 384, 768};
  std::vector<int64_t> depths{2, 2, 11};
  int64_t heads = 12;
  std::vector<double> mlp_ratios{4, 4, 4};

  int64_t patch_side() const;                                    // pixels
  int64_t grid_rows() const { return rows / patch_side(); }      // patches
  int64_t grid_cols() const { return cols / patch_side(); }      // patches
  int64_t patches() const { return grid_rows() * grid_cols(); }  // L
};

// The sizes from a model's options (fcm/models/options.h).
template <typename ModelOptions>
EncoderSizes encoder_sizes(const ModelOptions& options) {
  EncoderSizes sizes;
  sizes.kind = kind_named(options.kind);
  sizes.rows = options.rows;
  sizes.cols = options.cols;
  sizes.channels = options.channels;
  sizes.strides = options.encoder.strides;
  sizes.dims = options.encoder.dims;
  sizes.depths = options.encoder.depths;
  sizes.heads = options.encoder.heads.last();
  sizes.mlp_ratios = options.encoder.mlp_ratios;
  return sizes;
}

struct ReferenceOptions : EncoderSizes {
  int64_t decoder_dim = 512;
  int64_t decoder_depth = 8;
  int64_t decoder_heads = 16;
  double decoder_mlp_ratio = 4;
  bool norm_pix = true;            // targets are pixels normalised within their patch
  double variance_epsilon = 1e-6;  // of norm_pix
  // The targets in order, if there are several. Empty or a single one: the published decoder.
  struct Target {
    std::string name;  // "rgb": pixels; others: features with SmoothL1
    int64_t dim = 0;   // of features
    double weight = 1;
  };
  std::vector<Target> targets;
  int64_t independent_blocks = 1;  // of each target, if there are several
  // cross: the decoder of CrossMAE (models_cross.py) in place of the transformer. share: the
  // fraction of the patches hidden from a view that the view predicts. reads_mix: blocks of the
  // cross decoder read a mix of the inputs of the encoder's blocks and of the latent.
  bool cross = false;
  double share = 1;
  bool reads_mix = false;
  int64_t mimic_dim = 0;  // width of mimicked features; 0: none
  double mimic_weight = 1;
  // Dtype of matrix products and convolutions. Norms, softmax, sums and the loss have the dtype of
  // the weights. Use kDouble for weights in float64, and kBFloat16 to compute as autocast does.
  at::ScalarType compute = at::kFloat;

  int64_t patch_dim() const;  // values in a patch
};

// Upstream names and shapes, including pos_embed [1, L, D] (ViT [1, 1 + L, D]) and
// decoder_pos_embed.
using Weights = std::map<std::string, at::Tensor>;

using NamesAndShapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

struct ReferenceResult {
  at::Tensor loss;                      // scalar: the weighted sum of `losses`
  std::vector<at::Tensor> losses;       // of each target, then of the mimicked features
  std::vector<at::Tensor> latents;      // per kept view [B, k, D], in the order of the shuffle;
                                        // ViT [B, 1 + k, D], the class token first
  std::vector<at::Tensor> predictions;  // of the first target, per kept view [B, L, dim], raster
                                        // order; pixels of a patch are (row, column, channel)
  std::vector<at::Tensor> masks;        // per kept view [B, L], raster order: 1 hidden, 0 visible
};

// images_BCHW: normalised pixels, floating-point. noise_BL: sorted by their noise, the first
// view_sizes[0] patches of an image are view 0, the next view_sizes[1] view 1, and so on; the sizes
// sum up to L. Only the first kept_views views are computed. With pixels as the only target and
// share 1, the loss is the mean squared error over all pairs of a kept view and a patch hidden from
// it.
//
// The observer gets what Layers passes to it (layers.h), in the upstream layout. Rows of the
// transformers are view-major, one call per run of views of equal size (MAE: one per view). The
// masked convolutions call it once per view.
//
// features: for every target but "rgb" by its name, and for "mimic", [B, L, dim] in raster order.
//
// Weights that require gradients get them from result.loss.backward(). Throws Error(kUsage) if
// images do not divide into patches or if the only view hides nothing, Error(kCheckpoint) for a
// missing weight.
ReferenceResult forward(const Weights& weights, const ReferenceOptions& options,
                        const at::Tensor& images_BCHW, const at::Tensor& noise_BL,
                        const std::vector<int64_t>& view_sizes, int64_t kept_views,
                        const nn::Observer& observer = {},
                        const std::map<std::string, at::Tensor>& features = {});

// The upstream state_dict: every key with its shape, in the upstream order. Parts that upstream
// lacks (several targets, cross decoder, mimic) have this program's names.
NamesAndShapes expected_names_and_shapes(const ReferenceOptions& options);

}  // namespace fcm::reference
