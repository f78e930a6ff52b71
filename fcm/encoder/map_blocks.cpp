#include "fcm/encoder/map_blocks.h"

#include "fcm/encoder/decomposed_blocks.h"
#include "fcm/encoder/relative_blocks.h"
#include "fcm/encoder/tower_blocks.h"
#include "fcm/encoder/windowed_blocks.h"

namespace fcm::encoder {

std::unique_ptr<MapBlocks> map_blocks(const nn::Scope& scope, const BlockSizes& sizes,
                                      const Embeddings& embeddings) {
  if (embeddings.tower) return std::make_unique<TowerBlocks>(scope, sizes, *embeddings.tower);
  if (embeddings.windowed && embeddings.windowed->decomposed) {
    return std::make_unique<DecomposedBlocks>(scope, sizes, *embeddings.windowed);
  }
  if (embeddings.windowed) {
    return std::make_unique<WindowedBlocks>(scope, sizes, *embeddings.windowed);
  }
  if (!embeddings.relative_blocks) return nullptr;
  return std::make_unique<RelativeBlocks>(scope, sizes.name, sizes.depth, sizes.dim, sizes.heads,
                                          sizes.mlp_ratio, sizes.norm_epsilon, embeddings.grid,
                                          embeddings.class_token_11C.defined());
}

}  // namespace fcm::encoder
