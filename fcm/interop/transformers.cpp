#include "fcm/interop/transformers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::interop {
namespace {

struct Rename {
  std::string_view published, theirs;  // prefixes of names
};

constexpr std::array kOutside = {
    Rename{"cls_token", "embeddings.cls_token"},
    Rename{"pos_embed", "embeddings.position_embeddings"},
    Rename{"patch_embed.proj.", "embeddings.patch_embeddings.projection."},
    Rename{"norm.", "layernorm."},
    Rename{"head.", "classifier."},
    Rename{"patch_embed.norm.", "embeddings.norm."},
    Rename{"mask_token", "embeddings.mask_token"},
};

constexpr std::array kInBlock = {
    Rename{"norm1.", "layernorm_before."},
    Rename{"attn.proj.", "attention.output.dense."},
    Rename{"norm2.", "layernorm_after."},
    Rename{"mlp.fc1.", "intermediate.dense."},
    Rename{"mlp.fc2.", "output.dense."},
    Rename{"attn.relative_position_bias_table", "attention.self.relative_position_bias_table"},
};

// Prefixes before a block's number. In a Swin the prefix is followed by the stage's number,
// "blocks." and the block's number.
constexpr std::array kBlocks = {
    Rename{"blocks.", "encoder.layer."},
    Rename{"decoder_blocks.", "decoder.decoder_layers."},
    Rename{"layers.", "encoder.layers."},
};
constexpr std::string_view kOfStage = "blocks.";

constexpr std::string_view kPublishedQkv = "attn.qkv.";
// In ViT and Swin.
constexpr std::array<std::string_view, 2> kTheirAttention = {"attention.attention.",
                                                             "attention.self."};
constexpr std::array<std::string_view, 3> kThirds = {"query.", "key.", "value."};

// `name` with its prefix replaced, or nullopt if no rule matches.
template <size_t kCount>
std::optional<std::string> renamed(std::string_view name, const std::array<Rename, kCount>& rules,
                                   std::string_view Rename::*from, std::string_view Rename::*to) {
  for (const Rename& rule : rules) {
    if (!name.starts_with(rule.*from)) continue;
    return std::string(rule.*to) + std::string(name.substr((rule.*from).size()));
  }
  return std::nullopt;
}

// "blocks.7.norm1.bias", split after the number.
struct InBlock {
  std::string front;  // converted to the other program's prefix, number included
  std::string_view part;
};

std::optional<InBlock> in_block(std::string_view name, std::string_view Rename::*from,
                                std::string_view Rename::*to) {
  for (const Rename& rule : kBlocks) {
    if (!name.starts_with(rule.*from)) continue;
    const size_t number = (rule.*from).size();
    size_t dot = name.find('.', number);
    if (dot == std::string_view::npos) return std::nullopt;
    if (name.substr(dot + 1).starts_with(kOfStage)) {
      dot = name.find('.', dot + 1 + kOfStage.size());
      if (dot == std::string_view::npos) return std::nullopt;
    }
    return InBlock{std::string(rule.*to) + std::string(name.substr(number, dot + 1 - number)),
                   name.substr(dot + 1)};
  }
  return std::nullopt;
}

// The rows of one third of a tensor.
formats::TensorView third_of(const formats::TensorView& whole, size_t third, std::string name) {
  formats::TensorView part = whole;
  part.name = std::move(name);
  part.shape.at(0) /= 3;
  const size_t bytes = whole.bytes.size() / 3;
  part.bytes = whole.bytes.subspan(third * bytes, bytes);
  return part;
}

std::string_view without_vit(std::string_view name) {
  for (const std::string_view model : {"vit.", "swin."}) {
    if (name.starts_with(model)) name.remove_prefix(model.size());
  }
  return name;
}

using Thirds = std::array<const formats::TensorView*, 3>;

// If `tensor` is a query, key or value, stores it in `parts` under the upstream name of the joint
// tensor and returns true.
bool take_third(const formats::TensorView& tensor, const InBlock& place,
                std::map<std::string, Thirds>& parts) {
  std::string_view rest = place.part;
  const auto front = std::find_if(kTheirAttention.begin(), kTheirAttention.end(),
                                  [&](std::string_view one) { return rest.starts_with(one); });
  if (front == kTheirAttention.end()) return false;
  rest.remove_prefix(front->size());
  for (size_t third = 0; third < kThirds.size(); ++third) {
    if (!rest.starts_with(kThirds[third])) continue;
    const std::string kind(rest.substr(kThirds[third].size()));  // weight, bias
    parts[place.front + std::string(kPublishedQkv) + kind][third] = &tensor;
    return true;
  }
  return false;
}

void check_thirds(const std::string& name, const Thirds& thirds, const std::string& source) {
  for (size_t i = 0; i < thirds.size(); ++i) {
    if (thirds[i] == nullptr) {
      fail(ExitCode::kCheckpoint, "{} has no {}weight or bias, which {} needs", source, kThirds[i],
           name);
    }
    if (thirds[i]->shape != thirds[0]->shape || thirds[i]->dtype != thirds[0]->dtype ||
        thirds[i]->shape.empty()) {
      fail(ExitCode::kCheckpoint,
           "{}: {} and {} differ in shape or type, so they cannot be joined to {}", source,
           thirds[0]->name, thirds[i]->name, name);
    }
  }
}

// The joint tensors, with their bytes in `merged`.
std::vector<formats::TensorView> put_together(const std::map<std::string, Thirds>& parts,
                                              const std::string& source, formats::Buffer& merged) {
  size_t bytes = 0;
  for (const auto& [name, thirds] : parts) {
    check_thirds(name, thirds, source);
    bytes += 3 * thirds[0]->bytes.size();
  }
  merged = formats::Buffer(bytes);
  std::vector<formats::TensorView> wholes;
  size_t at = 0;
  for (const auto& [name, thirds] : parts) {
    const size_t third = thirds[0]->bytes.size();
    formats::TensorView whole = *thirds[0];
    whole.name = name;
    whole.shape[0] *= 3;
    whole.bytes = std::as_const(merged).bytes().subspan(at, 3 * third);
    for (const formats::TensorView* one : thirds) {
      std::copy(one->bytes.begin(), one->bytes.end(),
                merged.bytes().begin() + static_cast<std::ptrdiff_t>(at));
      at += third;
    }
    wholes.push_back(std::move(whole));
  }
  return wholes;
}

}  // namespace

bool are_of_transformers(std::span<const formats::TensorView> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const formats::TensorView& tensor) {
    return tensor.name.ends_with("embeddings.patch_embeddings.projection.weight");
  });
}

std::vector<formats::TensorView> as_transformers(std::span<const formats::TensorView> encoder) {
  std::vector<formats::TensorView> result;
  for (const formats::TensorView& tensor : encoder) {
    const auto place = in_block(tensor.name, &Rename::published, &Rename::theirs);
    if (!place) {
      result.push_back(tensor);
      const auto name = renamed(tensor.name, kOutside, &Rename::published, &Rename::theirs);
      result.back().name = name.value_or(tensor.name);
    } else if (place->part.starts_with(kPublishedQkv)) {
      const std::string kind(place->part.substr(kPublishedQkv.size()));
      const std::string_view attention =
          kTheirAttention[place->front.find(kOfStage) == std::string::npos ? 0 : 1];
      for (size_t third = 0; third < kThirds.size(); ++third) {
        result.push_back(third_of(
            tensor, third, fmt::format("{}{}{}{}", place->front, attention, kThirds[third], kind)));
      }
    } else {
      result.push_back(tensor);
      const auto part = renamed(place->part, kInBlock, &Rename::published, &Rename::theirs);
      result.back().name = place->front + part.value_or(std::string(place->part));
    }
  }
  return result;
}

formats::Buffer from_transformers(std::vector<formats::TensorView>& tensors,
                                  const std::string& source) {
  formats::Buffer merged;
  const bool theirs =
      std::any_of(tensors.begin(), tensors.end(), [](const formats::TensorView& tensor) {
        return without_vit(tensor.name).starts_with(kOutside[2].theirs);
      });
  if (!theirs) return merged;
  std::map<std::string, Thirds> parts;
  std::vector<formats::TensorView> result;
  for (const formats::TensorView& tensor : tensors) {
    const std::string_view name = without_vit(tensor.name);
    const auto place = in_block(name, &Rename::theirs, &Rename::published);
    if (place && take_third(tensor, *place, parts)) continue;
    result.push_back(tensor);
    if (place) {
      const auto part = renamed(place->part, kInBlock, &Rename::theirs, &Rename::published);
      result.back().name = place->front + part.value_or(std::string(place->part));
    } else {
      const auto plain = renamed(name, kOutside, &Rename::theirs, &Rename::published);
      result.back().name = plain.value_or(std::string(name));
    }
  }
  for (formats::TensorView& whole : put_together(parts, source, merged))
    result.push_back(std::move(whole));
  tensors = std::move(result);
  return merged;
}

}  // namespace fcm::interop
