// A small encoder of each kind.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "fcm/encoder/registry.h"

namespace fcm::encoder {

inline EncoderOptions small_options(const std::string& kind) {
  if (kind == "vit") return {"custom", {4}, {16}, {2}, 4, {2}};
  if (kind == "swin") {
    return {"custom", {1, 2, 2}, {8, 12, 16}, {1, 1, 2}, {2, 3, 4}, {2, 2, 2}, 1e-6, 3};
  }
  return {"custom", {1, 2, 2}, {8, 12, 16}, {1, 1, 2}, 4, {2, 2, 2}};
}

constexpr masks::Grid kGrid{3, 4};

struct Built {
  Built(const std::string& kind, const Outputs& outputs, bool trainable_positions = false)
      : parameters(std::make_unique<nn::Parameters>(5, at::kDouble)) {
    const EncoderOptions options = small_options(kind);
    const nn::Scope scope(*parameters);
    const Embeddings embeddings = add_embeddings(scope, kind, 16, kGrid, trainable_positions);
    encoder = make_encoder(kind, scope, options, 3, embeddings, outputs);
    parameters->flatten();
    at::manual_seed(1);
    const int64_t stride = options.strides[0], cells = 16 / (stride * stride);
    pixels = at::randn({2, 12, cells, 3 * stride * stride}, at::kDouble);
  }

  Features features() const { return (*encoder)(pixels, masks::full_plan(2, kGrid)); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const nn::Parameter& parameter : parameters->all()) names.push_back(parameter.name);
    return names;
  }

  std::unique_ptr<nn::Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  at::Tensor pixels;
};

}  // namespace fcm::encoder
