// The upstream model described by a manifest, as options of this program.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/models/masked_autoencoder.h"
#include "reference/reference.h"
#include "tests/parity/fixtures.h"

namespace fcm::parity {

enum class Family { kFastConvMae, kConvMae, kMae, kConvVit, kVit };

struct PublishedModel {
  Family family = Family::kFastConvMae;
  reference::ReferenceOptions options;  // sizes; the caller sets norm_pix and compute
  at::Device device = at::kCPU;         // where the fast path runs
  double mask_ratio = 0.75;
  int64_t classes = 0;       // of a classifier
  bool global_pool = false;  // of a classifier

  std::string kind() const { return class_token() ? "vit" : "conv_vit"; }  // recipe key model.kind
  bool class_token() const { return family == Family::kMae || family == Family::kVit; }
  // Patches per view, and the number of views that the encoder sees.
  std::vector<int64_t> view_sizes() const;
  int64_t kept_views() const { return family == Family::kFastConvMae ? 4 : 1; }
  models::AutoencoderOptions autoencoder() const;
};

// Derives the options from `source` and `constructor` of an entry; `constructor` is the name of an
// upstream factory, or its arguments. Throws Error(kData) for an unknown model.
PublishedModel published_model(const nlohmann::json& about);

// The inputs of a model. Weights come from the file or from a "state" file of the same stem;
// otherwise they are procedural. Images and noise are procedural if the manifest says so, and
// otherwise come from the file.
struct Inputs {
  reference::Weights weights;  // float32, upstream names and shapes, including position tables
  at::Tensor images_BCHW;
  at::Tensor noise_BL;  // for pretraining
};
using NamesAndShapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;
Inputs make_inputs(const Entry& entry, const PublishedModel& model, const NamesAndShapes& names,
                   const Tensors& stored);

}  // namespace fcm::parity
