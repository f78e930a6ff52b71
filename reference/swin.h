// Swin in plain tensor calls, as upstream: SimMIM (models/simmim.py), its classifier
// (models/swin_transformer.py) and GreenMIM (green_swin_models.py, base_green_models.py). In SimMIM
// and the classifier, windows are cut out of NHWC maps, which are rolled and masked for shifted
// windows. In GreenMIM, one attention covers all visible tokens, with a bias of -100 between tokens
// of different windows. Upstream does so for few tokens; for more, it attends within groups of
// windows, with the same result.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "reference/reference.h"

namespace fcm::reference {

struct SwinOptions {
  int64_t rows = 224, cols = 224, channels = 3;  // of the image
  int64_t patch = 4;                             // pixels along a side of a cell of the first stage
  int64_t dim = 128;                             // of the first stage; doubles from stage to stage
  std::vector<int64_t> depths{2, 2, 18, 2}, heads{4, 8, 16, 32};
  int64_t window = 7;
  // As in upstream detectors (mmdetection's SwinTransformer): after the norm, maps are zero-padded
  // to a multiple of the window. On a map no larger than a window, the window keeps its size and
  // odd blocks shift; if this is false, the window shrinks to the map and no block shifts.
  bool attends_to_padding = false;
  double mlp_ratio = 4;
  double norm_epsilon = 1e-5;
  int64_t classes = 1000;  // of a classifier
  // Of GreenMIM's decoder.
  int64_t decoder_dim = 512, decoder_depth = 1, decoder_heads = 16;
  double decoder_mlp_ratio = 4;
  // Reproduces an error of upstream: the decoder takes visible tokens as sorted by noise, although
  // they are in raster order, so tokens get each other's positions. false: sorts them first.
  bool shuffled = true;
  bool norm_pix = true;
  at::ScalarType compute = at::kFloat;  // like ReferenceOptions::compute

  // Pixels along a side of a cell of the last stage.
  int64_t unit() const { return patch << (depths.size() - 1); }
  int64_t units() const { return rows / unit() * (cols / unit()); }
};

// Names lack upstream's prefix "encoder."; SimMIM's decoder.0 is decoder_pred.
NamesAndShapes simmim_names_and_shapes(const SwinOptions& options);
NamesAndShapes swin_classifier_names_and_shapes(const SwinOptions& options);
NamesAndShapes green_mim_names_and_shapes(const SwinOptions& options);

struct SwinResult {
  at::Tensor loss;
  at::Tensor latent;         // SimMIM [B, C, H, W]; GreenMIM [B, visible cells, C]
  at::Tensor reconstructed;  // SimMIM [B, channels, H, W]; GreenMIM [B, units, unit^2 * channels]
  at::Tensor pooled, logits;
};

// The observer gets "patch_embed", "masked", "layers.<i>.blocks.<j>", "layers.<i>.blocks.<j>.attn"
// (after its projection, in windows), "layers.<i>.downsample", "norm": [B, tokens, C], tokens in
// raster order. mask_Bhw: 1 where a cell of the first stage is hidden.
SwinResult simmim(const Weights& weights, const SwinOptions& options, const at::Tensor& images_BCHW,
                  const at::Tensor& mask_Bhw, const nn::Observer& observer = {});
SwinResult swin_classify(const Weights& weights, const SwinOptions& options,
                         const at::Tensor& images_BCHW, const nn::DropPath& drop_path = {},
                         const nn::Observer& observer = {});
// noise_L: one value per unit, for the whole batch; the `kept` lowest are visible. The observer
// gets the names listed for simmim except "masked", and also "visible" (the embedded visible
// tokens) and the decoder's modules.
SwinResult green_mim(const Weights& weights, const SwinOptions& options,
                     const at::Tensor& images_BCHW, const at::Tensor& noise_L, int64_t kept,
                     const nn::Observer& observer = {});

// Two buffers that upstream stores. relative_position_index: for each pair of cells of a grid, the
// row of the bias table, [rows * cols, rows * cols]. shifted_window_mask: for each pair of cells in
// a window of a shifted map, -100 if the roll joined them from opposite borders, else 0, [windows,
// w^2, w^2].
at::Tensor relative_position_index(int64_t rows, int64_t cols);
at::Tensor shifted_window_mask(int64_t rows, int64_t cols, int64_t window);

}  // namespace fcm::reference
