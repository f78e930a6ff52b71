#include "fcm/interop/segmenter_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/batch_counts.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

// A rule that replaces a prefix of a name, after "backbone." or after a block's number.
struct VitRename {
  std::string_view ours, theirs;
};
constexpr VitRename kVitEmbedding{"patch_embed.proj.", "patch_embed.projection."};
constexpr VitRename kVitBlocks{"blocks.", "layers."};
constexpr std::array kInVitBlock = {
    VitRename{"gamma_1", "gamma_1"},       VitRename{"gamma_2", "gamma_2"},
    VitRename{"attn.", "attn."},           VitRename{"norm1.", "ln1."},
    VitRename{"norm2.", "ln2."},           VitRename{"mlp.fc1.", "ffn.layers.0.0."},
    VitRename{"mlp.fc2.", "ffn.layers.1."}};

using Side = std::string_view VitRename::*;

// `name` with its prefix replaced; nullopt: it has another prefix.
std::optional<std::string> with_other_front(std::string_view name, const VitRename& rule, Side from,
                                            Side to) {
  if (!name.starts_with(rule.*from)) return std::nullopt;
  return std::string(rule.*to) + std::string(name.substr((rule.*from).size()));
}

// Converts a name of the ViT in a segmenter; leaves other names unchanged.
std::string vit_renamed(std::string_view name, Side from, Side to) {
  const std::string same(name);
  if (!name.starts_with(kSegmenterEncoder)) return same;
  const std::string_view inner = name.substr(kSegmenterEncoder.size());
  if (const auto other = with_other_front(inner, kVitEmbedding, from, to)) {
    return std::string(kSegmenterEncoder) + *other;
  }
  const auto block = with_other_front(inner, kVitBlocks, from, to);
  if (!block) return same;
  const size_t dot = block->find('.', (kVitBlocks.*to).size());  // after the number
  if (dot == std::string::npos) return same;
  for (const VitRename& rule : kInVitBlock) {
    const auto part = with_other_front(std::string_view(*block).substr(dot + 1), rule, from, to);
    if (part) return std::string(kSegmenterEncoder) + block->substr(0, dot + 1) + *part;
  }
  return same;
}

}  // namespace

bool are_of_segmenter(std::span<const TensorView> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const TensorView& tensor) {
    return tensor.name.ends_with(kSegmenterClasses) &&
           without_outer_wrappers(tensor.name) == kSegmenterClasses;
  });
}

formats::Buffer from_mmseg(std::vector<TensorView>& tensors, const std::string& source) {
  std::map<std::string, std::string> before;
  for (TensorView& tensor : tensors) {
    std::string name =
        vit_renamed(without_outer_wrappers(tensor.name), &VitRename::theirs, &VitRename::ours);
    const auto [place, is_new] = before.emplace(name, tensor.name);
    if (!is_new) {
      fail(ExitCode::kCheckpoint,
           "{}: {} and {} both are {} to this program; it cannot tell which one is meant", source,
           place->second, tensor.name, name);
    }
    tensor.name = std::move(name);
  }
  std::erase_if(tensors, [](const TensorView& tensor) { return is_window_buffer(tensor.name); });
  return counts_as_floats(tensors);
}

std::vector<TensorView> take_out_beside_segmenter(std::vector<TensorView>& tensors) {
  constexpr std::array<std::string_view, 4> kModules = {kSegmenterEncoder, "neck.", "decode_head.",
                                                        "auxiliary_head."};
  std::vector<TensorView> taken;
  std::erase_if(tensors, [&](const TensorView& tensor) {
    const auto is_front = [&](std::string_view front) { return tensor.name.starts_with(front); };
    if (std::any_of(kModules.begin(), kModules.end(), is_front)) return false;
    taken.push_back(tensor);
    return true;
  });
  return taken;
}

std::string mmseg_name(std::string_view name) {
  return vit_renamed(name, &VitRename::ours, &VitRename::theirs);
}

}  // namespace fcm::interop
