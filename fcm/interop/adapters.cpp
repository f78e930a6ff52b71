#include "fcm/interop/adapters.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/weight_decay.h"

namespace fcm::interop {
namespace {

struct Prefix {
  std::string_view from, to;
};

// The first that fits is applied, again and again until none does.
constexpr std::array kPrefixes = {
    Prefix{"module.", ""},                       // DistributedDataParallel
    Prefix{"_orig_mod.", ""},                    // torch.compile
    Prefix{"model.", ""},                        // a module that holds the model
    Prefix{"backbone.", ""},                     // OpenMMLab, EasyCV
    Prefix{"encoder.", ""},                      // EasyCV
    Prefix{"decoder.mask_token", "mask_token"},  // EasyCV
    Prefix{"decoder.decoder_", "decoder_"},      // EasyCV
    Prefix{"decoder.", "decoder_"},
};

// The words of published names in an order that, compared word by word, is the order in which the
// published modules register their parameters.
constexpr std::array kWords = {
    "cls_token",
    "pos_embed",
    "mask_token",
    "decoder_pos_embed",
    "patch_embed",
    "patch_embed1",
    "patch_embed2",
    "patch_embed3",
    "patch_embed4",
    "stage1_output_decode",
    "stage2_output_decode",
    "blocks1",
    "blocks2",
    "blocks3",
    "blocks",
    "norm1",
    "conv1",
    "conv2",
    "attn",
    "norm2",
    "mlp",
    "fc1",
    "fc2",
    "qkv",
    "proj",
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
    "weight",
    "bias",
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

std::string published_name(std::string_view name) {
  std::string result(name);
  const auto fits = [&](const Prefix& rule) { return result.starts_with(rule.from); };
  while (true) {
    const auto rule = std::find_if(kPrefixes.begin(), kPrefixes.end(), fits);
    if (rule == kPrefixes.end()) return result;
    result.replace(0, rule->from.size(), rule->to);
    if (!rule->to.empty()) return result;
  }
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

bool is_frozen_table(std::string_view name) {
  return name == "pos_embed" || name == "decoder_pos_embed";
}

std::vector<const formats::TensorView*> optimizer_order(
    std::span<const formats::TensorView> model) {
  std::vector<const formats::TensorView*> order;
  for (const bool decay : {false, true}) {
    for (const formats::TensorView& tensor : model) {
      if (is_frozen_table(tensor.name)) continue;
      if (has_weight_decay(tensor.name, tensor.shape.size()) == decay) order.push_back(&tensor);
    }
  }
  return order;
}

}  // namespace fcm::interop
