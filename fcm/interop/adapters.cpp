#include "fcm/interop/adapters.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/base/weight_decay.h"

namespace fcm::interop {
namespace {

constexpr std::array<std::string_view, 4> kWrappers = {
    "module.",      // DistributedDataParallel
    "_orig_mod.",   // torch.compile
    "model.",       // a module that holds the model
    "state_dict.",  // a dictionary in a dictionary
};

constexpr std::string_view kPartOfMore = "backbone.";  // OpenMMLab, EasyCV, DINO

constexpr std::array<std::string_view, 3> kInnerWrappers = {
    "_fsdp_wrapped_module.",        // FullyShardedDataParallel
    "_checkpoint_wrapped_module.",  // activation checkpointing
    "_orig_mod.",                   // torch.compile of a part
};

constexpr std::string_view kEncoder = "encoder.";  // EasyCV

// Prefixes of decoder names; the first rule that matches applies. "decoder.0." is SimMIM's, the
// other prefixes are EasyCV's.
struct Prefix {
  std::string_view from, to;
};
constexpr std::array kDecoder = {
    Prefix{"decoder.0.", "decoder_pred."},
    Prefix{"decoder.mask_token", "mask_token"},
    Prefix{"decoder.decoder_", "decoder_"},
    Prefix{"decoder.", "decoder_"},
};

bool take_off(std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  return true;
}

// The words between the dots of upstream names. Sorting names word by word in this order gives the
// order in which upstream modules register their parameters.
constexpr std::array kWords = {
    "backbone",
    "neck",
    "decode_head",
    "auxiliary_head",
    "cls_token",
    "pos_embed",
    "mask_token",
    "decoder_pos_embed",
    "patch_embed",
    "patch_embed1",
    "patch_embed2",
    "patch_embed3",
    "patch_embed4",
    "layers",
    "stage1_output_decode",
    "stage2_output_decode",
    "blocks1",
    "blocks2",
    "blocks3",
    "blocks",
    "fpn",
    "downsample",
    "gamma_1",
    "gamma_2",
    "mix",
    "norm_kv",
    "norm1",
    "conv1",
    "conv2",
    "attn",
    "cross_attn",
    "norm2",
    "mlp",
    "fc1",
    "fc2",
    "relative_position_bias_table",
    "qkv",
    "q",
    "kv",
    "proj",
    "reduction",
    "norm",
    "head",
    "fc_norm",
    "decoder_embed",
    "decoder_blocks",
    "decoder_norm",
    "decoder_pred",
    "reconstructors",
    "rgb",
    "clip",
    "dino",
    "ema",
    "mimic",
    "pred",
    "upsample_4x",
    "upsample_2x",
    "conv_seg",
    "psp_modules",
    "bottleneck",
    "lateral_convs",
    "fpn_convs",
    "fpn_bottleneck",
    "convs",
    "conv",
    "bn",
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "num_batches_tracked",
};

std::optional<int64_t> number_of(std::string_view word) {
  const bool digits = !word.empty() && word.size() < 7 &&
                      word.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits) return std::nullopt;
  return std::stoll(std::string(word));
}

std::vector<int64_t> rank_of(std::string_view name) {
  std::vector<int64_t> rank;
  while (true) {
    const size_t dot = name.find('.');
    const std::string_view word = name.substr(0, dot);
    const auto found = std::find(kWords.begin(), kWords.end(), word);
    rank.push_back(number_of(word).value_or(found - kWords.begin()));
    if (dot == std::string_view::npos) return rank;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

std::string without_inner_wrappers(std::string name) {
  for (const std::string_view wrapper : kInnerWrappers) {
    for (size_t at = 0; (at = name.find(wrapper, at)) != std::string::npos;) {
      if (at == 0 || name[at - 1] == '.') {
        name.erase(at, wrapper.size());
      } else {
        at += wrapper.size();
      }
    }
  }
  return name;
}

std::string without_outer_wrappers(std::string name) {
  const auto take = [&](std::string_view wrapper) { return take_off(name, wrapper); };
  while (std::any_of(kWrappers.begin(), kWrappers.end(), take)) {
  }
  return name;
}

std::string without_wrappers(std::string name) {
  do {
    name = without_outer_wrappers(std::move(name));
  } while (take_off(name, kPartOfMore));
  return name;
}

std::string published_name(std::string_view name) {
  std::string result = without_wrappers(std::string(name));
  while (take_off(result, kEncoder)) result = without_wrappers(std::move(result));
  for (const Prefix& rule : kDecoder) {
    if (take_off(result, rule.from)) return std::string(rule.to) + result;
  }
  return result;
}

bool is_window_buffer(std::string_view name) {
  return name.ends_with(".relative_position_index") || name.ends_with(".attn_mask");
}

namespace {

// Adds `by` to the number n of the stage in "layers.<n>.downsample".
void move_merges(std::vector<formats::TensorView>& tensors, int64_t by) {
  constexpr std::string_view kLayers = "layers.", kMerge = ".downsample.";
  for (formats::TensorView& tensor : tensors) {
    const size_t merge = tensor.name.find(kMerge);
    if (!tensor.name.starts_with(kLayers) || merge == std::string::npos) continue;
    const auto stage =
        number_of(std::string_view(tensor.name).substr(kLayers.size(), merge - kLayers.size()));
    if (!stage) continue;
    tensor.name = std::string(kLayers) + std::to_string(*stage + by) + tensor.name.substr(merge);
  }
}

bool has_tensor(std::span<const formats::TensorView> tensors, std::string_view name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const formats::TensorView& tensor) { return tensor.name == name; });
}

void replace_front(std::vector<formats::TensorView>& tensors, std::string_view from,
                   std::string_view to) {
  for (formats::TensorView& tensor : tensors) {
    if (take_off(tensor.name, from)) tensor.name.insert(0, to);
  }
}

}  // namespace

void from_timm_swin(std::vector<formats::TensorView>& tensors) {
  if (!has_tensor(tensors, "layers.1.downsample.reduction.weight") ||
      has_tensor(tensors, "layers.0.downsample.reduction.weight")) {
    return;
  }
  move_merges(tensors, -1);
  replace_front(tensors, "head.fc.", "head.");
}

void to_timm_swin(std::vector<formats::TensorView>& tensors) {
  move_merges(tensors, 1);
  replace_front(tensors, "head.", "head.fc.");
}

std::string name_in_program(std::string_view name, std::span<const formats::TensorView> model) {
  const bool swin = has_tensor(model, "layers.0.blocks.0.attn.relative_position_bias_table");
  const bool simmim = swin && optimizer_rule(model).decayed_first;
  if (!swin || (!simmim && !has_tensor(model, "decoder_embed.weight"))) return std::string(name);
  if (simmim && name.starts_with("decoder_pred.")) {
    return "decoder.0." + std::string(name.substr(std::string_view("decoder_pred.").size()));
  }
  const bool of_encoder = name.starts_with("patch_embed.") || name.starts_with("layers.") ||
                          name.starts_with("norm.") || (simmim && name == "mask_token");
  return (of_encoder ? "encoder." : "") + std::string(name);
}

void rename_as_published(std::vector<formats::TensorView>& tensors, const std::string& source) {
  std::map<std::string, std::string> before;
  for (formats::TensorView& tensor : tensors) {
    std::string name = published_name(tensor.name);
    const auto [place, is_new] = before.emplace(name, tensor.name);
    if (!is_new) {
      fail(ExitCode::kCheckpoint,
           "{}: {} and {} both are {} to this program; it cannot tell which "
           "one is meant",
           source, place->second, tensor.name, name);
    }
    tensor.name = std::move(name);
  }
}

void sort_as_published(std::vector<formats::TensorView>& tensors) {
  std::vector<std::pair<std::vector<int64_t>, formats::TensorView>> ranked;
  ranked.reserve(tensors.size());
  for (formats::TensorView& tensor : tensors) {
    std::vector<int64_t> rank = rank_of(tensor.name);
    ranked.emplace_back(std::move(rank), std::move(tensor));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& left, const auto& right) { return left.first < right.first; });
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i] = std::move(ranked[i].second);
}

bool is_frozen_table(std::string_view name, std::span<const formats::TensorView> model) {
  if (name != "pos_embed" && name != "decoder_pos_embed") return false;
  return std::none_of(model.begin(), model.end(), [](const formats::TensorView& tensor) {
    return tensor.name == "head.weight";
  });
}

OptimizerRule optimizer_rule(std::span<const formats::TensorView> model) {
  const auto has = [&](std::string_view name, size_t dimensions) {
    return std::any_of(model.begin(), model.end(), [&](const formats::TensorView& tensor) {
      return tensor.name.ends_with(name) && tensor.shape.size() == dimensions;
    });
  };
  if (!has(kRelativeTable, 2)) return {};
  if (has("decoder_pred.weight", 4)) return {"vectors_tokens", true};  // SimMIM
  return {"vectors_tokens_tables", false};                             // GreenMIM
}

std::vector<const formats::TensorView*> optimizer_order(
    std::span<const formats::TensorView> model) {
  const OptimizerRule rule = optimizer_rule(model);
  std::vector<const formats::TensorView*> order;
  for (const bool decay : {rule.decayed_first, !rule.decayed_first}) {
    for (const formats::TensorView& tensor : model) {
      if (is_frozen_table(tensor.name, model)) continue;
      if (has_weight_decay(tensor.name, tensor.shape.size(), rule.no_decay) == decay) {
        order.push_back(&tensor);
      }
    }
  }
  return order;
}

}  // namespace fcm::interop
