#include "fcm/interop/adapters.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
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

// Looks up what recognition asks for.
class Shapes {
 public:
  explicit Shapes(std::span<const formats::TensorView> tensors) {
    for (const formats::TensorView& tensor : tensors) shapes_[tensor.name] = &tensor.shape;
  }

  // Whether there is a tensor of that name with so many dimensions, none of them empty.
  bool has(const std::string& name, size_t dimensions) const {
    const auto found = shapes_.find(name);
    return found != shapes_.end() && found->second->size() == dimensions &&
           std::find(found->second->begin(), found->second->end(), 0) == found->second->end();
  }
  // An extent of a tensor that `has` was asked about.
  int64_t at(const std::string& name, size_t dimension) const {
    return shapes_.at(name)->at(dimension);
  }

  // One more than the highest number behind "prefix.".
  int64_t blocks(const std::string& prefix) const {
    int64_t count = 0;
    const std::string start = prefix + ".";
    for (auto it = shapes_.lower_bound(start); it != shapes_.end() && it->first.starts_with(start);
         ++it) {
      const std::string_view rest = std::string_view(it->first).substr(start.size());
      if (const auto number = number_of(rest.substr(0, rest.find('.')))) {
        count = std::max(count, *number + 1);
      }
    }
    return count;
  }

  // Width of the first block's MLP over the blocks' width; 4, as published, where there is none.
  double mlp_ratio(const std::string& prefix, int64_t dim) const {
    const std::string name = prefix + ".0.mlp.fc1.weight";
    const auto found = shapes_.find(name);
    if (found == shapes_.end() || found->second->empty()) return 4;
    return static_cast<double>(found->second->front()) / static_cast<double>(dim);
  }

 private:
  std::map<std::string, const std::vector<int64_t>*> shapes_;
};

struct Stage {
  const char* embedding;  // convolution [out, in, stride, stride]
  const char* blocks;
};
struct Family {
  const char* kind;
  std::vector<Stage> stages;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"conv_vit",
       {{"patch_embed1.proj.weight", "blocks1"},
        {"patch_embed2.proj.weight", "blocks2"},
        {"patch_embed3.proj.weight", "blocks3"}}},
      {"vit", {{"patch_embed.proj.weight", "blocks"}}},
  };
  return all;
}

void add_stage(const Shapes& shapes, const Stage& stage, Architecture& found) {
  found.dims.push_back(shapes.at(stage.embedding, 0));
  found.strides.push_back(shapes.at(stage.embedding, 2));
  found.depths.push_back(shapes.blocks(stage.blocks));
  found.mlp_ratios.push_back(shapes.mlp_ratio(stage.blocks, found.dims.back()));
}

void add_rest(const Shapes& shapes, Architecture& found) {
  found.class_token = shapes.has("cls_token", 3);
  if (shapes.has("pos_embed", 3)) {
    found.patches = shapes.at("pos_embed", 1) - (found.class_token ? 1 : 0);
  }
  found.fuse =
      shapes.has("stage1_output_decode.weight", 4) && shapes.has("stage2_output_decode.weight", 4);
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

std::vector<const formats::TensorView*> optimizer_order(std::span<const formats::TensorView> model) {
  std::vector<const formats::TensorView*> order;
  for (const bool decay : {false, true}) {
    for (const formats::TensorView& tensor : model) {
      if (is_frozen_table(tensor.name)) continue;
      if (has_weight_decay(tensor.name, tensor.shape.size()) == decay) order.push_back(&tensor);
    }
  }
  return order;
}

int64_t Architecture::patch_side() const {
  return std::accumulate(strides.begin(), strides.end(), int64_t{1}, std::multiplies<>());
}

std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors) {
  const Shapes shapes(tensors);
  for (const Family& family : families()) {
    const bool complete =
        std::all_of(family.stages.begin(), family.stages.end(),
                    [&](const Stage& stage) { return shapes.has(stage.embedding, 4); });
    if (!complete) continue;
    Architecture found;
    found.kind = family.kind;
    found.channels = shapes.at(family.stages.front().embedding, 1);
    for (const Stage& stage : family.stages) add_stage(shapes, stage, found);
    add_rest(shapes, found);
    return found;
  }
  return std::nullopt;
}

}  // namespace fcm::interop
