// The model of semantic segmentation: an encoder that sees every patch, four feature maps, UperNet
// on these maps and, in training, an auxiliary head on the third one. Source: ConvMAE's SEG folder;
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
  int64_t rows = 512, cols = 512;  // of training images; decides the sizes of positions and tables
  int64_t channels = 3;            // of the images
  int64_t classes = 150;
  int64_t head_channels = 768, aux_channels = 256;
  std::vector<int64_t> taps;  // vit: the four blocks whose outputs are the maps
  double drop_path = 0;       // of the last block, nn::drop_path_rates
  double dropout = 0.1;       // rate for channels, before the class logits
};

// Parameters have the upstream names ("backbone.", "decode_head.", "auxiliary_head.") in the
// upstream order. A ViT has this program's names below "backbone." (interop renames them).
class Segmenter {
 public:
  Segmenter(const SegmenterOptions& options, uint64_t seed,
            const at::TensorOptions& held = at::kFloat);

  const SegmenterOptions& options() const { return options_; }
  masks::Grid grid() const { return grid_; }  // of training images
  const ops::PatchGeometry& geometry() const { return geometry_; }
  at::Device device() const { return parameters_->device(); }
  nn::Parameters& parameters() { return *parameters_; }
  const nn::Parameters& parameters() const { return *parameters_; }
  // The layer of a parameter, for layer decay; heads, neck and fourth map belong to the last layer.
  nn::LayerOf layer_of() const;

  // The random factors of a training pass for these images, on the model's device.
  struct Draws {
    nn::DropPath drop_path;
    at::Tensor decode_BC, aux_BC;  // dropout factors; undefined at rate 0
  };
  Draws draw(uint64_t seed, uint64_t epoch, std::span<const int64_t> sample_ids) const;

  // Logits before they are resized to the image, float32 at least.
  struct Logits {
    at::Tensor decode_BHWK;  // of the decode head, at stride 4
    at::Tensor aux_BHWK;     // of the auxiliary head, at stride 16
  };
  // pixels [B, L, P, D] in the order of `plan`, which must be masks::full_plan. Batch normalisation
  // takes statistics over the images of all ranks of `group`, so all of them have to call train().
  // The observer sees the encoder (encoder/encoder.h) and "feature.0" to "feature.3", [B, H, W, C].
  Logits train(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan, at::ScalarType compute,
               const Draws& draws, const std::shared_ptr<dist::Group>& group,
               const nn::Observer& observer = {});
  // Logits of the decode head, [B, H / 4, W / 4, K], with running statistics. The plan's grid may
  // have any size: positions are interpolated, distances beyond the bias tables are clamped.
  at::Tensor evaluate(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      at::ScalarType compute, const nn::Observer& observer = {}) const;

 private:
  // Feature maps, finest first, [B, H, W, C].
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

// The cost of training on one image, auxiliary head included.
nn::Cost cost(const SegmenterOptions& options);

}  // namespace fcm::models
