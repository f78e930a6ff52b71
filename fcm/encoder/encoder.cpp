#include "fcm/encoder/encoder.h"

#include "fcm/base/error.h"
#include "fcm/encoder/conv_vit.h"
#include "fcm/encoder/vit.h"
#include "fcm/nn/layers.h"

namespace fcm::encoder {

Embeddings add_embeddings(const nn::Scope& scope, Kind kind, int64_t dim, masks::Grid grid,
                          bool trainable_positions) {
  Embeddings embeddings;
  if (class_tokens(kind) > 0) {
    embeddings.class_token_11C = scope.add("cls_token", {1, 1, dim}, nn::Init::kNormal02);
  }
  embeddings.positions_1TC = scope.add_table(
      "pos_embed", nn::sincos_positions(grid.rows, grid.cols, dim, class_tokens(kind)),
      trainable_positions);
  return embeddings;
}

std::unique_ptr<Encoder> make_encoder(Kind kind, const nn::Scope& scope,
                                      const EncoderOptions& options, int64_t channels,
                                      const Embeddings& embeddings, Ending ending) {
  const size_t count = stages(kind);
  require(options.strides.size() == count && options.dims.size() == count &&
              options.depths.size() == count && options.mlp_ratios.size() == count,
          "an encoder of {} stages with lists of other lengths", count);
  if (kind == Kind::kVit) {
    return std::make_unique<Vit>(scope, options, channels, embeddings, ending);
  }
  return std::make_unique<ConvVit>(scope, options, channels, embeddings.positions_1TC, ending);
}

}  // namespace fcm::encoder
