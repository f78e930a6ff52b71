// The model of semantic segmentation: an encoder that sees every patch, four maps of it, UperNet on
// them and, in training, a second head on the third map. Source: ConvMAE's SEG folder;
// mmsegmentation's mae.py and upernet_mae-base.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/encoder/encoder.h"
#include "fcm/encoder/registry.h"
#include "fcm/heads/fcn.h"
#include "fcm/heads/fourth_map.h"
#include "fcm/heads/upernet.h"
#include "fcm/heads/vit_neck.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/layer.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"
#include "fcm/ops/patches.h"

namespace fcm::models {

struct SegmenterOptions {
  std::string kind = encoder::kDefaultKind;  // conv_vit or vit
  encoder::EncoderOptions encoder;
  int64_t rows = 512, cols = 512;  // that it is trained for: of its positions and tables
  int64_t channels = 3;            // of pictures
  int64_t classes = 150;
  int64_t head_channels = 768, aux_channels = 256;
  std::vector<int64_t> taps;  // vit: blocks whose results are the four maps
  double drop_path = 0;       // of the last block, nn::drop_path_rates
  double dropout = 0.1;       // of a channel before the classes
};

// Parameters have the published names ("backbone.", "decode_head.", "auxiliary_head.") in the
// published order, a ViT's those of this program's ViT below "backbone." (interop renames them).
class Segmenter {
 public:
  Segmenter(const SegmenterOptions& options, uint64_t seed,
            const at::TensorOptions& held = at::kFloat);

  const SegmenterOptions& options() const { return options_; }
  masks::Grid grid() const { return grid_; }  // that it is trained for
  const ops::PatchGeometry& geometry() const { return geometry_; }
  at::Device device() const { return parameters_->device(); }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }
  // Which layer a parameter belongs to; the heads and what makes maps to the last.
  nn::LayerOf layer_of() const;

  // What a training pass leaves out for these pictures, on the model's device.
  struct Draws {
    nn::DropPath drop_path;
    at::Tensor decode_BC, aux_BC;  // of dropout; undefined at rate 0
  };
  Draws draw(uint64_t seed, uint64_t epoch, std::span<const int64_t> sample_ids) const;

  // Logits before they are resized, float32 at least.
  struct Logits {
    at::Tensor decode_BHWK;  // a quarter of the picture's rows and columns
    at::Tensor aux_BHWK;     // a sixteenth; undefined in evaluation
  };
  // pixels [B, L, P, D] in the order of masks::full_plan, which the plan must be. Batch
  // normalisation takes its statistics from the pictures of all ranks of `group`, which all have to
  // call it. The observer sees the encoder (encoder/encoder.h) and "feature.0" to "feature.3",
  // [B, H, W, C].
  Logits train(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan, at::ScalarType compute,
               const Draws& draws, const std::shared_ptr<dist::Group>& group,
               const nn::Observer& observer = {});
  // Any number of patches a row and column: positions are interpolated, distances in the tables
  // cut off. Without the second head, statistics as learned. [B, H / 4, W / 4, K].
  at::Tensor evaluate(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      at::ScalarType compute, const nn::Observer& observer = {}) const;

 private:
  // Finest first, [B, H, W, C].
  std::vector<at::Tensor> maps(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                               at::ScalarType compute, const nn::DropPath& drop_path,
                               const heads::HeadPass& pass, const nn::Observer& observer) const;

  SegmenterOptions options_;
  ops::PatchGeometry geometry_;
  masks::Grid grid_;
  std::vector<double> drop_path_rates_;  // of every block
  std::unique_ptr<nn::Parameters> parameters_;
  std::unique_ptr<encoder::Encoder> encoder_;
  std::optional<heads::FourthMap> fourth_map_;  // conv_vit
  std::optional<heads::VitNeck> neck_;          // vit
  std::optional<heads::UperNet> decode_;
  std::optional<heads::Fcn> aux_;
};

// Of one picture in training, the second head included.
nn::Cost cost(const SegmenterOptions& options);

}  // namespace fcm::models
