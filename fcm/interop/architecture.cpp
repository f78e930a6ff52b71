#include "fcm/interop/architecture.h"

#include "fcm/encoder/registry.h"

namespace fcm::interop {
namespace {

void add_rest(const encoder::Shapes& shapes, Architecture& found) {
  found.class_token = shapes.has("cls_token", 3);
  if (shapes.has("pos_embed", 3)) {
    found.patches = shapes.at("pos_embed", 1) - (found.class_token ? 1 : 0);
  }
  found.norm = shapes.has("norm.weight", 1);
  found.fc_norm = shapes.has("fc_norm.weight", 1);
  if (shapes.has("head.weight", 2)) found.classes = shapes.at("head.weight", 0);
  found.mask_token = shapes.has("mask_token", 3);
  if (shapes.has("decoder_embed.weight", 2)) {
    const int64_t dim = shapes.at("decoder_embed.weight", 0);
    found.decoder = {dim, shapes.blocks("decoder_blocks"), shapes.mlp_ratio("decoder_blocks", dim)};
  }
}

}  // namespace

std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors) {
  encoder::Shapes shapes;
  for (const formats::TensorView& tensor : tensors) shapes.add(tensor.name, tensor.shape);
  for (const encoder::Family& family : encoder::families()) {
    const std::optional<encoder::Recognised> encoder = family.recognise(shapes);
    if (!encoder) continue;
    Architecture found;
    found.kind = family.kind;
    found.encoder = encoder->options;
    found.channels = encoder->channels;
    found.fuse = encoder->fuse;
    add_rest(shapes, found);
    return found;
  }
  return std::nullopt;
}

}  // namespace fcm::interop
