// The backbones of upstream detectors: an encoder in which most blocks attend inside windows, and
// its feature maps. Sources: ConvMAE's DET (models/convmae.py ConvViTDet), hustvl/MIMDet
// (models/benchmarking.py BenchmarkingViTDet), OpenGVLab/Official-ConvMAE-Det (modeling/convmae.py
// ConvViT), and for Swin mmdetection's SwinTransformer.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/layer.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"

namespace fcm::models {

// The transformer blocks and feature maps of one upstream program.
enum class BackboneForm {
  // ConvMAE's and MIMDet's: window blocks share one bias table, global blocks another; windows have
  // to divide the grid. conv_vit: positions are frozen; the maps are the outputs of the three
  // stages, and the last output after 2 x 2 max pooling. vit: positions are trained; the maps are
  // the outputs after each quarter of the blocks. swin (mmdetection's) differs: it has a bias table
  // per block, no positions, padded windows, and as maps the outputs of its four stages, each after
  // a norm.
  kSharedTables,
  // Official-ConvMAE-Det's, conv_vit only: each block has bias tables for rows and for columns;
  // windows that do not divide the grid are padded; positions of 14 x 14 patches are trained and
  // resized in every pass. The only map is the output of the last stage.
  kDecomposed,
};

struct DetectorBackboneOptions {
  std::string kind = encoder::kDefaultKind;  // conv_vit, vit or swin
  encoder::EncoderOptions encoder;
  int64_t rows = 1024, cols = 1024;  // of all images, padding included
  int64_t channels = 3;              // of the images
  BackboneForm form = BackboneForm::kSharedTables;
  // A Swin ignores the next two: its windows have encoder.window cells a side, padded at the
  // border.
  int64_t window = 16;                              // side of a window, in patches
  std::vector<int64_t> global_blocks{0, 3, 6, 10};  // indices of transformer blocks, ascending
  double drop_path = 0.1;                           // of the last block, nn::drop_path_rates
};

// Parameters have the upstream names in the upstream order, below `scope`, which is
// "backbone.<backbone_place()>" in a detector. (The upstream state_dict also has integer tables
// computed from the sizes, "relative_position_index".) The owner of the parameters, which is not
// this class, calls Parameters::flatten, and Parameters::round before each pass.
class DetectorBackbone {
 public:
  // Throws Error(kUsage) for options that cannot be built: patches, or windows with kSharedTables,
  // that do not divide the images; an invalid block index; a ViT with kDecomposed or with a depth
  // that is not a multiple of 4.
  DetectorBackbone(const nn::Scope& scope, const DetectorBackboneOptions& options);

  const DetectorBackboneOptions& options() const { return options_; }
  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  std::vector<int64_t> map_channels() const;  // one per map
  std::vector<int64_t> map_strides() const;   // one per map, in pixels

  // The plan of `batch` images, on the CPU; it does not depend on their content.
  masks::ViewPlan plan(int64_t batch) const;
  // Drop path factors of a training pass, keyed by seed, epoch and sample id. Blocks with window
  // attention and shared tables have one factor per window, [B * windows]; others one per image.
  nn::DropPath draw(uint64_t seed, uint64_t epoch, std::span<const int64_t> sample_ids,
                    at::Device device = at::kCPU) const;

  // pixels [B, L, P, D] in the order of `plan`, which must be plan(B). Returns feature maps, finest
  // first, [B, H, W, C] in raster order, of dtype `compute`. For patches of 16 pixels: conv_vit
  // returns strides 4, 8, 16 and 32; vit four maps of stride 16; kDecomposed one map of stride 16.
  // swin (patches of 32 pixels) returns strides 4, 8, 16 and 32. The observer sees the encoder
  // (encoder/encoder.h).
  std::vector<at::Tensor> operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                     at::ScalarType compute, const nn::DropPath& drop_path = {},
                                     const nn::Observer& observer = {}) const;

  // The layer of a parameter, by its name below the scope: as in Family::layer_of, but positions
  // belong to the last layer with kDecomposed. Only norms, positions and
  // relative_position_bias_table (shared, or a Swin's) are exempt from weight decay; biases decay.
  nn::LayerOf layer_of() const;

 private:
  std::vector<at::Tensor> maps_of_stages(const encoder::Features& seen,
                                         const masks::ViewPlan& plan) const;

  DetectorBackboneOptions options_;
  ops::PatchGeometry geometry_;
  masks::Grid grid_;
  std::unique_ptr<encoder::Encoder> encoder_;
  std::vector<nn::LayerNorm> norms_;  // of Swin's maps
};

// Scope of the backbone in a detector: "bottom_up", or "net" for kDecomposed.
const char* backbone_place(BackboneForm form);

// The cost of training on one image.
nn::Cost cost(const DetectorBackboneOptions& options);

}  // namespace fcm::models
