// The backbones of published detectors: an encoder whose blocks attend inside windows, but for a
// few, and the maps it leaves. Sources: ConvMAE's DET (models/convmae.py ConvViTDet), hustvl/MIMDet
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

// Whose blocks, and which maps.
enum class BackboneForm {
  // ConvMAE's and MIMDet's: two tables of biases that all blocks share. Windows have to cut up the
  // grid. conv_vit: positions are frozen, and the maps are those of the three stages and the last
  // one pooled; vit: positions are trained, and the maps are what each quarter of the blocks
  // leaves.
  kSharedTables,
  // Official-ConvMAE-Det's, of conv_vit: tables of each block for rows and columns, windows filled
  // up where they do not cut up the grid, positions of 14 x 14 patches that are trained and resized
  // in every pass. The last stage's map alone.
  kDecomposed,
};

struct DetectorBackboneOptions {
  std::string kind = encoder::kDefaultKind;  // conv_vit, vit or swin
  encoder::EncoderOptions encoder;
  int64_t rows = 1024, cols = 1024;  // of all pictures, padding included
  int64_t channels = 3;              // of pictures
  BackboneForm form = BackboneForm::kSharedTables;
  // These two not of a Swin, whose windows are of encoder.window cells, filled up at the border.
  int64_t window = 16;                              // patches a side
  std::vector<int64_t> global_blocks{0, 3, 6, 10};  // of the transformer, ascending
  double drop_path = 0.1;                           // of the last block, nn::drop_path_rates
};

// Parameters have the published names in the published order, below `scope`: the place of
// backbone_place() in the detector. (The published state also has integer tables made of the sizes,
// "relative_position_index".) It holds no parameters: their owner calls Parameters::flatten, and
// Parameters::round before a pass.
class DetectorBackbone {
 public:
  // Throws Error(kUsage) where patches or windows do not cut up the pictures, or there is no such
  // block.
  DetectorBackbone(const nn::Scope& scope, const DetectorBackboneOptions& options);

  const DetectorBackboneOptions& options() const { return options_; }
  masks::Grid grid() const { return grid_; }
  const ops::PatchGeometry& geometry() const { return geometry_; }
  std::vector<int64_t> map_channels() const;  // of each map, and its stride in pixels
  std::vector<int64_t> map_strides() const;

  // For `batch` pictures, on the CPU; the same for any pictures.
  masks::ViewPlan plan(int64_t batch) const;
  // What a training pass leaves out: keyed by seed, epoch and sample. For each block that attends
  // in windows with shared tables a draw a window, [B * windows], else one a picture.
  nn::DropPath draw(uint64_t seed, uint64_t epoch, std::span<const int64_t> sample_ids,
                    at::Device device = at::kCPU) const;

  // pixels [B, L, P, D] in the order of the plan, which is plan(B). The maps, finest first, [B, H,
  // W, C] in raster order, of the compute type. conv_vit and swin: strides 4, 8, 16, 32; vit: four
  // of stride 16; kDecomposed: one of stride 16. The observer sees the encoder (encoder/encoder.h).
  std::vector<at::Tensor> operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                     at::ScalarType compute, const nn::DropPath& drop_path = {},
                                     const nn::Observer& observer = {}) const;

  // Which layer a parameter belongs to, by its name below the scope. kDecomposed: embeddings and
  // blocks of convolutions 0, block i of the transformer i + 1, positions last. Exempt from weight
  // decay: norms, positions, shared tables of biases, and nothing else: biases decay.
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

// Where a detector has it: "bottom_up", kDecomposed "net".
const char* backbone_place(BackboneForm form);

// Of one picture in training.
nn::Cost cost(const DetectorBackboneOptions& options);

}  // namespace fcm::models
