#include "fcm/interop/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/interop/teacher_file.h"

namespace fcm::interop {
namespace {

// Prefixes of decoder blocks: those that all targets share, then those of each target.
constexpr std::array kDecoderBlocks = {"decoder_blocks", "reconstructors.rgb.blocks",
                                       "reconstructors.clip.blocks", "reconstructors.dino.blocks",
                                       "reconstructors.ema.blocks"};

// Recognises a decoder whose hidden patches attend to visible patches only.
std::optional<DecoderArchitecture> cross_decoder(const encoder::Shapes& shapes) {
  for (const std::string stem : kDecoderBlocks) {
    const std::string query = stem + ".0.cross_attn.q.weight";
    if (!shapes.has(query, 2)) continue;
    const int64_t dim = shapes.at(query, 0);
    return DecoderArchitecture{.dim = dim,
                               .depth = shapes.blocks("decoder_blocks"),
                               .mlp_ratio = shapes.mlp_ratio(stem, dim),
                               .cross = true,
                               .mixes = shapes.has(stem + ".0.mix.weight", 2)};
  }
  return std::nullopt;
}

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
  } else if (shapes.has("decoder_pred.weight", 4)) {
    found.decoder.emplace().linear = true;
  } else {
    found.decoder = cross_decoder(shapes);
  }
}

struct ForeignPart {
  std::string_view ending;  // suffix of a tensor's name
  std::string_view sentence;
};

// Parts of other programs' ViTs that the ViT and ConvViT of pretraining and classification here
// lack.
constexpr std::array kForeign = {
    ForeignPart{"register_tokens",
                "it has register tokens, which this program's ViT does not have"},
    ForeignPart{"reg_token", "it has register tokens, which this program's ViT does not have"},
    ForeignPart{"dist_token",
                "it has a distillation token (DeiT), which this program's ViT does not have"},
    ForeignPart{"distillation_token",
                "it has a distillation token (DeiT), which this program's ViT does not have"},
    ForeignPart{
        "norm_pre.weight",
        "it has a norm in front of its blocks (norm_pre, as CLIP has), which this program's "
        "ViT does not have"},
    ForeignPart{".ls1.gamma",
                "its blocks have layer scale (ls1.gamma), which this program's ViT does not have"},
    ForeignPart{".gamma_1",
                "its blocks have layer scale (gamma_1), which this program's ViT does not have"},
    ForeignPart{
        ".layer_scale1.lambda1",
        "its blocks have layer scale (layer_scale1), which this program's ViT does not have"},
    ForeignPart{
        ".attn.q_norm.weight",
        "its attention normalises queries and keys (q_norm), which this program's does not"},
    ForeignPart{".attn.q_bias",
                "its attention has biases for queries and values alone (q_bias, v_bias, as BEiT), "
                "where this program's has one for all (qkv.bias)"},
    ForeignPart{kRelativeTable,
                "its attention has relative positions, which this program's does not have"},
    ForeignPart{".mlp.w12.weight", "its MLPs are gated (SwiGLU), this program's are not"},
    ForeignPart{".mlp.fc1_g.weight", "its MLPs are gated (SwiGLU), this program's are not"},
};

bool is_square(int64_t number) {
  const auto side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(number, 0))));
  return side * side == number;
}

bool is_patch_embedding(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEmbeddings = {
      "patch_embed.proj.weight", "patch_embed1.proj.weight", "patch_embed2.proj.weight",
      "patch_embed3.proj.weight"};
  return std::ranges::find(kEmbeddings, name) != kEmbeddings.end();
}

// A sentence about images or patches that no network here reads; empty: networks here read them.
std::string foreign_patches(std::span<const formats::TensorView> tensors,
                            const Architecture& found) {
  for (const formats::TensorView& tensor : tensors) {
    if (tensor.shape.size() != 4 || !is_patch_embedding(tensor.name)) continue;
    const int64_t rows = tensor.shape[2], columns = tensor.shape[3];
    if (rows == columns) continue;
    return fmt::format(
        "its patches have {} rows and {} columns ({} is {}), where this program's are square", rows,
        columns, tensor.name, fmt::join(tensor.shape, " x "));
  }
  if (found.channels == 1 || found.channels == 3) return {};
  return fmt::format(
      "its patch embedding reads images of {} channels, where this program has grey images (1) and "
      "RGB (3)",
      found.channels);
}

std::string foreign_part(std::span<const formats::TensorView> tensors,
                         const encoder::Shapes& shapes, const Architecture& found) {
  if (std::string patches = foreign_patches(tensors, found); !patches.empty()) return patches;
  for (const ForeignPart& part : kForeign) {
    if (found.kind == "swin" && part.ending == kRelativeTable) continue;
    for (const formats::TensorView& tensor : tensors) {
      if (tensor.name.ends_with(part.ending)) return std::string(part.sentence);
    }
  }
  if (found.kind == "swin" && shapes.has("absolute_pos_embed", 3)) {
    return "it has absolute positions (absolute_pos_embed), which this program's Swin does not "
           "have";
  }
  if (found.kind != "vit") return {};
  if (!found.class_token) {
    return "it has no class token (cls_token), which this program's ViT always has";
  }
  if (!shapes.has("pos_embed", 3)) {
    return "it has no table of positions (pos_embed), which this program's ViT always has";
  }
  const int64_t rows = shapes.at("pos_embed", 1);
  if (!is_square(rows - 1) && is_square(rows)) {
    return fmt::format(
        "its table of positions has {} rows, one for each patch and none for the class token "
        "(timm's no_embed_class), where this program's ViT has one for that too",
        rows);
  }
  if (!is_square(rows - 1) && is_square(rows - 2)) {
    return fmt::format(
        "its table of positions has {} rows, for two tokens in front of the patches, where this "
        "program's ViT has the class token alone",
        rows);
  }
  if (shapes.has("blocks.0.attn.qkv.weight", 2) && !shapes.has("blocks.0.attn.qkv.bias", 1)) {
    return "its attention has no bias (qkv.bias), this program's has one";
  }
  return {};
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
    found.foreign = foreign_part(tensors, shapes, found);
    return found;
  }
  return std::nullopt;
}

namespace {

// Describes a patch embedding that is not a 2D convolution; empty: there is none.
std::string other_patch_embedding(std::span<const formats::TensorView> tensors) {
  for (const formats::TensorView& tensor : tensors) {
    if (!is_patch_embedding(tensor.name) || tensor.shape.size() == 4) continue;
    const std::string shape = fmt::format("{}", fmt::join(tensor.shape, " x "));
    if (tensor.shape.size() == 5) {
      return fmt::format(
          "a network for video or volumes: {} is {}, a convolution over three dimensions, and this "
          "program reads single images",
          tensor.name, shape);
    }
    return fmt::format(
        "a network whose patch embedding is no convolution: {} is {}, and this program expects "
        "[width, channels, rows, columns]; reshape it in Python",
        tensor.name, shape);
  }
  return {};
}

// Whether the file was written by the command `fastconvmae features`.
bool are_features(std::span<const formats::TensorView> tensors) {
  return tensors.size() == 2 && std::ranges::all_of(tensors, [](const formats::TensorView& tensor) {
           return tensor.name == "features" || tensor.name == "labels";
         });
}

}  // namespace

std::string why_unknown(std::span<const formats::TensorView> tensors, const std::string& source) {
  constexpr size_t kShown = 8;
  if (tensors.empty()) return fmt::format("{} holds no tensors, so no weights", source);
  const auto any = [&](std::string_view part) {
    return std::any_of(tensors.begin(), tensors.end(), [&](const formats::TensorView& tensor) {
      return tensor.name.find(part) != std::string::npos;
    });
  };
  if (are_features(tensors)) {
    return fmt::format(
        "{} holds features of images, as fastconvmae features writes them, and no weights: name "
        "the checkpoint that they were computed with",
        source);
  }
  if (any("patch_embed_proj_weight") || any("patch_embedprojweight")) {
    return fmt::format(
        "{} holds weights under names without dots ({} the first), as averages beside the weights "
        "have them: take the file with the weights themselves",
        source, tensors.front().name);
  }
  if (any("exp_avg") || any("momentum_buffer")) {
    return fmt::format(
        "{} holds the state of an optimizer and no weights (its {} tensors begin with {}): take "
        "the file of the weights",
        source, tensors.size(), tensors.front().name);
  }
  if (any("flat_param")) {
    return fmt::format(
        "{} holds the flat shards that FSDP makes of weights (its {} tensors begin with {}): save "
        "the full state_dict",
        source, tensors.size(), tensors.front().name);
  }
  if (const std::string teacher = describe_teacher({tensors.begin(), tensors.end()});
      !teacher.empty()) {
    return fmt::format("{} holds {}", source, teacher);
  }
  if (const std::string other = other_patch_embedding(tensors); !other.empty()) {
    return fmt::format("{} holds {}", source, other);
  }
  std::string names;
  for (size_t i = 0; i < std::min(kShown, tensors.size()); ++i) {
    names += (i == 0 ? "" : ", ") + tensors[i].name;
  }
  return fmt::format(
      "{} holds no network that this program knows: its {} tensors begin with {}; expected were "
      "patch_embed1.proj.weight (ConvMAE), or patch_embed.proj.weight and blocks.0.norm1.weight "
      "(MAE, timm), or embeddings.patch_embeddings.projection.weight (Hugging Face), with anything "
      "in front",
      source, tensors.size(), names);
}

}  // namespace fcm::interop
