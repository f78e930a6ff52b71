#include "fcm/encoder/registry.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/encoder/conv_vit.h"
#include "fcm/encoder/swin.h"
#include "fcm/encoder/vit.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/positions.h"

namespace fcm::encoder {

// Register a new encoder here.
const std::vector<Family>& families() {
  static const std::vector<Family> all{
      conv_vit_family(),
      vit_family(),
      swin_family(),
  };
  return all;
}

namespace {

// "a, b or c"
std::string choice(std::vector<std::string> names) {
  const std::string last = std::move(names.back());
  names.pop_back();
  return names.empty() ? last : fmt::format("{} or {}", fmt::join(names, ", "), last);
}

}  // namespace

const Family& family(const std::string& kind) {
  for (const Family& known : families()) {
    if (known.kind == kind) return known;
  }
  fail(ExitCode::kUsage, "model.kind = \"{}\" is not a known kind; take {}", kind, choice(kinds()));
}

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const Family& known : families()) names.push_back(known.kind);
  return names;
}

std::vector<std::string> size_names() {
  std::vector<std::string> names{"custom"};
  for (const Family& known : families()) {
    for (const EncoderOptions& size : known.sizes) {
      if (std::find(names.begin(), names.end(), size.size) == names.end()) {
        names.push_back(size.size);
      }
    }
  }
  names.emplace_back("checkpoint");
  return names;
}

EncoderOptions named_size(const std::string& kind, const std::string& name) {
  std::vector<std::string> names{"custom"};
  for (const EncoderOptions& size : family(kind).sizes) {
    if (size.size == name) return size;
    names.push_back(size.size);
  }
  fail(ExitCode::kUsage, "encoder.size = \"{}\" is not a size of {}; take {}", name, kind,
       choice(names));
}

const EncoderOptions* size_like(const std::string& kind, const EncoderOptions& options) {
  for (const EncoderOptions& size : family(kind).sizes) {
    if (size.dims == options.dims && size.depths == options.depths && size.heads == options.heads) {
      return &size;
    }
  }
  return nullptr;
}

Embeddings add_embeddings(const nn::Scope& scope, const std::string& kind, int64_t dim,
                          masks::Grid grid, bool trainable_positions) {
  const int64_t class_tokens = family(kind).class_tokens;
  Embeddings embeddings;
  embeddings.grid = grid;
  if (class_tokens > 0) {
    embeddings.class_token_11C = scope.add("cls_token", {1, 1, dim}, nn::Init::kNormal02);
  }
  if (!family(kind).positions) return embeddings;
  embeddings.positions_1TC =
      scope.add_table("pos_embed", nn::sincos_positions(grid.rows, grid.cols, dim, class_tokens),
                      trainable_positions);
  return embeddings;
}

Embeddings add_tower_embeddings(const nn::Scope& scope, const Tower& tower, int64_t dim,
                                masks::Grid grid) {
  Embeddings embeddings;
  embeddings.grid = grid;
  embeddings.tower = tower;
  const auto add = [&](const char* name, int64_t tokens) {
    return scope.add_table(name, at::zeros({1, tokens, dim}), /*trainable=*/false);
  };
  if (tower.class_token) embeddings.class_token_11C = add("cls_token", 1);
  if (tower.registers > 0) embeddings.register_tokens_1RC = add("reg_token", tower.registers);
  if (tower.positions) {
    embeddings.positions_1TC = add("pos_embed", (tower.class_token ? 1 : 0) + grid.patches());
  }
  return embeddings;
}

at::Tensor positions(const Embeddings& embeddings, masks::Grid grid) {
  return nn::resize_positions(embeddings.positions_1TC, embeddings.grid.rows, embeddings.grid.cols,
                              grid.rows, grid.cols);
}

std::unique_ptr<Encoder> make_encoder(const std::string& kind, const nn::Scope& scope,
                                      const EncoderOptions& options, int64_t channels,
                                      const Embeddings& embeddings, const Outputs& outputs) {
  const Family& known = family(kind);
  const size_t stages = known.stages == 0 ? options.strides.size() : known.stages;
  require(options.strides.size() == stages && options.dims.size() == stages &&
              options.depths.size() == stages && options.mlp_ratios.size() == stages,
          "expected one value for each of {} stages, got {} strides, {} dims, {} "
          "depths and {} mlp_ratios",
          stages, options.strides.size(), options.dims.size(), options.depths.size(),
          options.mlp_ratios.size());
  require(outputs.norm || !outputs.fuse,
          "encoder outputs: expected norm with fuse, because fused stages are "
          "added before the norm");
  return known.make(scope, options, channels, embeddings, outputs);
}

void add_mask_token(const nn::Scope& scope, const EncoderOptions& options, Embeddings& embeddings) {
  embeddings.products = nn::Init::kNormal02;
  embeddings.mask_token_11C =
      scope.add("mask_token", {1, 1, options.dims.front()}, nn::Init::kNormal02);
}

nn::LayerOf layer_of(const std::string& kind, const EncoderOptions& options) {
  return [options, of = family(kind).layer_of](std::string_view name) { return of(options, name); };
}

}  // namespace fcm::encoder
