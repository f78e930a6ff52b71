#include "fcm/interop/tower_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "fcm/base/error.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

struct TowerRename {
  std::string_view theirs, ours;  // a whole name, or a prefix if it ends in a dot
};

constexpr std::array kTowerOutside = {
    TowerRename{"cls_token", "cls_token"},
    TowerRename{"class_embedding", "cls_token"},
    TowerRename{"embeddings.cls_token", "cls_token"},
    TowerRename{"embeddings.class_embedding", "cls_token"},
    TowerRename{"reg_token", "reg_token"},
    TowerRename{"register_tokens", "reg_token"},
    TowerRename{"storage_tokens", "reg_token"},
    TowerRename{"embeddings.register_tokens", "reg_token"},
    TowerRename{"pos_embed", "pos_embed"},
    TowerRename{"positional_embedding", "pos_embed"},
    TowerRename{"embeddings.position_embeddings", "pos_embed"},
    TowerRename{"embeddings.position_embedding.weight", "pos_embed"},
    TowerRename{"patch_embed.proj.", "patch_embed.proj."},
    TowerRename{"conv1.", "patch_embed.proj."},
    TowerRename{"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
    TowerRename{"embeddings.patch_embeddings.", "patch_embed.proj."},
    TowerRename{"embeddings.patch_embedding.", "patch_embed.proj."},
    TowerRename{"norm_pre.", "norm_pre."},
    TowerRename{"ln_pre.", "norm_pre."},
    TowerRename{"pre_layrnorm.", "norm_pre."},
    TowerRename{"norm.", "norm."},
    TowerRename{"ln_post.", "norm."},
    TowerRename{"post_layernorm.", "norm."},
    TowerRename{"layernorm.", "norm."},
    TowerRename{"proj", "proj"},
    // In the layout of a Linear, [P, D].
    TowerRename{"visual_projection.weight", "proj.weight"},
    TowerRename{"head.weight", "proj.weight"},
};

constexpr std::array<std::string_view, 6> kTowerBlocks = {
    "blocks.",        "transformer.resblocks.", "encoder.layers.",
    "encoder.layer.", "model.layer.",           "layer."};

constexpr std::array kTowerInBlock = {
    TowerRename{"norm1.", "norm1."},
    TowerRename{"ln_1.", "norm1."},
    TowerRename{"layer_norm1.", "norm1."},
    TowerRename{"layernorm_before.", "norm1."},
    TowerRename{"norm2.", "norm2."},
    TowerRename{"ln_2.", "norm2."},
    TowerRename{"layer_norm2.", "norm2."},
    TowerRename{"layernorm_after.", "norm2."},
    TowerRename{"attn.qkv.weight", "attn.qkv.weight"},
    TowerRename{"attn.qkv.bias", "attn.qkv.bias"},
    TowerRename{"attn.in_proj_weight", "attn.qkv.weight"},
    TowerRename{"attn.in_proj_bias", "attn.qkv.bias"},
    TowerRename{"attn.q_bias", "attn.q.bias"},
    TowerRename{"attn.v_bias", "attn.v.bias"},
    TowerRename{"attention.attention.query.", "attn.q."},
    TowerRename{"attention.attention.key.", "attn.k."},
    TowerRename{"attention.attention.value.", "attn.v."},
    TowerRename{"attention.q_proj.", "attn.q."},
    TowerRename{"attention.k_proj.", "attn.k."},
    TowerRename{"attention.v_proj.", "attn.v."},
    TowerRename{"self_attn.q_proj.", "attn.q."},
    TowerRename{"self_attn.k_proj.", "attn.k."},
    TowerRename{"self_attn.v_proj.", "attn.v."},
    TowerRename{"attn.proj.", "attn.proj."},
    TowerRename{"attn.out_proj.", "attn.proj."},
    TowerRename{"attention.output.dense.", "attn.proj."},
    TowerRename{"attention.o_proj.", "attn.proj."},
    TowerRename{"self_attn.out_proj.", "attn.proj."},
    TowerRename{"ls1.gamma", "ls1.gamma"},
    TowerRename{"gamma_1", "ls1.gamma"},
    TowerRename{"layer_scale1.lambda1", "ls1.gamma"},
    TowerRename{"ls2.gamma", "ls2.gamma"},
    TowerRename{"gamma_2", "ls2.gamma"},
    TowerRename{"layer_scale2.lambda1", "ls2.gamma"},
    TowerRename{"mlp.fc1.", "mlp.fc1."},
    TowerRename{"mlp.c_fc.", "mlp.fc1."},
    TowerRename{"mlp.up_proj.", "mlp.fc1."},
    TowerRename{"intermediate.dense.", "mlp.fc1."},
    TowerRename{"mlp.fc2.", "mlp.fc2."},
    TowerRename{"mlp.c_proj.", "mlp.fc2."},
    TowerRename{"mlp.down_proj.", "mlp.fc2."},
    TowerRename{"output.dense.", "mlp.fc2."},
};

constexpr std::string_view kBiasMask = "attn.qkv.bias_mask";

template <size_t kCount>
std::optional<std::string> renamed_for_tower(std::string_view name,
                                             const std::array<TowerRename, kCount>& rules) {
  for (const TowerRename& rule : rules) {
    if (name == rule.theirs) return std::string(rule.ours);
    const bool begins = rule.theirs.ends_with('.') && name.starts_with(rule.theirs);
    const std::string_view leaf = begins ? name.substr(rule.theirs.size()) : "";
    if (leaf == "weight" || leaf == "bias") return std::string(rule.ours) + std::string(leaf);
  }
  return std::nullopt;
}

bool is_square_number(int64_t number) {
  const auto side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(number, 0))));
  return side * side == number;
}

size_t elements_in(const TensorView& tensor) {
  size_t count = 1;
  for (const int64_t extent : tensor.shape) count *= static_cast<size_t>(extent);
  return count;
}

// Collects tensors by this program's names; make() adds tensors with new values.
class TowerBuilder {
 public:
  TowerBuilder(TowerTensors& result, const std::string& source)
      : result_(result), source_(source) {}

  void add(TensorView tensor) {
    const auto [place, is_new] = tensors_.emplace(tensor.name, tensor);
    if (is_new) return;
    fail(ExitCode::kCheckpoint, "{}: two tensors get the name {}", source_, tensor.name);
  }

  const TensorView* find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

  // Adds or replaces a tensor of that name and shape, zero-filled, with the dtype of `like`; the
  // caller fills the returned bytes.
  std::span<std::byte> make(const std::string& name, std::vector<int64_t> shape,
                            const TensorView& like) {
    TensorView made{name, like.dtype, std::move(shape), {}};
    const size_t size = elements_in(like) == 0 ? 0 : like.bytes.size() / elements_in(like);
    result_.owners.emplace_back(elements_in(made) * size);
    const std::span<std::byte> bytes = result_.owners.back().bytes();
    std::ranges::fill(bytes, std::byte{});
    made.bytes = bytes;
    tensors_[name] = std::move(made);
    return bytes;
  }

  std::map<std::string, TensorView>& all() { return tensors_; }
  const std::string& source() const { return source_; }

 private:
  TowerTensors& result_;
  const std::string& source_;
  std::map<std::string, TensorView> tensors_;
};

void copy_bytes_to(std::span<std::byte> place, const TensorView& tensor) {
  std::ranges::copy(tensor.bytes, place.begin());
}

// Joins separate q, k and v to "<attention>qkv.<leaf>". A missing bias is zero.
void join_thirds(TowerBuilder& builder, const std::string& attention, const std::string& leaf) {
  std::array<const TensorView*, 3> thirds{};
  const TensorView* any = nullptr;
  for (size_t i = 0; i < thirds.size(); ++i) {
    thirds[i] = builder.find(attention + "qkv"[i] + "." + leaf);
    if (thirds[i] != nullptr) any = thirds[i];
  }
  if (any == nullptr) return;
  for (size_t i = 0; i < thirds.size(); ++i) {
    const bool fits = thirds[i] == nullptr
                          ? leaf == "bias"
                          : thirds[i]->shape == any->shape && thirds[i]->dtype == any->dtype &&
                                !any->shape.empty();
    if (fits) continue;
    fail(ExitCode::kCheckpoint, "{}: {}{}.{} is missing, or of another shape or type than {}",
         builder.source(), attention, "qkv"[i], leaf, any -> name);
  }
  std::vector<int64_t> shape = any->shape;
  shape[0] *= 3;
  const size_t bytes = any->bytes.size();
  const std::span<std::byte> whole = builder.make(attention + "qkv." + leaf, shape, *any);
  for (size_t i = 0; i < thirds.size(); ++i) {
    if (thirds[i] != nullptr) copy_bytes_to(whole.subspan(i * bytes, bytes), *thirds[i]);
  }
  for (const char third : {'q', 'k', 'v'}) builder.all().erase(attention + third + "." + leaf);
}

// Upstream's DINOv3 files have a key bias that a mask disables. Sets it to zero.
void clear_key_bias(TowerBuilder& builder, const std::string& attention) {
  const TensorView* bias = builder.find(attention + "qkv.bias");
  if (bias == nullptr || bias->bytes.size() % 3 != 0) return;
  const TensorView stored = *bias;
  const std::span<std::byte> mended = builder.make(stored.name, stored.shape, stored);
  copy_bytes_to(mended, stored);
  const size_t third = stored.bytes.size() / 3;
  std::ranges::fill(mended.subspan(third, third), std::byte{});
}

void fill_bias(TowerBuilder& builder, const std::string& module) {
  const TensorView* weight = builder.find(module + ".weight");
  if (weight == nullptr || weight->shape.empty() || builder.find(module + ".bias")) return;
  const TensorView like = *weight;
  builder.make(module + ".bias", {like.shape[0]}, like);
}

// [D], [T, D] -> [1, T, D]
void widen_table(TowerBuilder& builder, const std::string& name) {
  const auto found = builder.all().find(name);
  if (found == builder.all().end()) return;
  std::vector<int64_t>& shape = found->second.shape;
  while (!shape.empty() && shape.size() < 3) shape.insert(shape.begin(), 1);
}

// With timm's no_embed_class the table has no row for the class token. Adds a row of zeros.
void add_class_row(TowerBuilder& builder) {
  const TensorView* table = builder.find("pos_embed");
  if (table == nullptr || builder.find("cls_token") == nullptr || table->shape.size() != 3) return;
  const int64_t rows = table->shape[1];
  if (!is_square_number(rows) || is_square_number(rows - 1)) return;
  const TensorView stored = *table;
  const std::span<std::byte> whole =
      builder.make("pos_embed", {1, rows + 1, stored.shape[2]}, stored);
  copy_bytes_to(whole.last(stored.bytes.size()), stored);
}

// Transposes a Linear's [P, D] to CLIP's [D, P].
void transpose_projection(TowerBuilder& builder) {
  const TensorView* found = builder.find("proj.weight");
  if (found == nullptr) return;
  const TensorView linear = *found;
  builder.all().erase("proj.weight");
  if (linear.shape.size() != 2 || elements_in(linear) == 0) return;
  const auto rows = static_cast<size_t>(linear.shape[0]),
             cols = static_cast<size_t>(linear.shape[1]);
  const size_t size = linear.bytes.size() / elements_in(linear);
  const std::span<std::byte> transposed =
      builder.make("proj", {linear.shape[1], linear.shape[0]}, linear);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t col = 0; col < cols; ++col) {
      std::ranges::copy(
          linear.bytes.subspan((row * cols + col) * size, size),
          transposed.begin() + static_cast<std::ptrdiff_t>((col * rows + row) * size));
    }
  }
}

}  // namespace

std::optional<std::string> name_in_tower(std::string_view name) {
  for (const std::string_view blocks : kTowerBlocks) {
    if (!name.starts_with(blocks)) continue;
    const size_t dot = name.find('.', blocks.size());
    if (dot == std::string_view::npos || dot == blocks.size()) return std::nullopt;
    const std::string_view number = name.substr(blocks.size(), dot - blocks.size());
    if (number.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    const auto part = renamed_for_tower(name.substr(dot + 1), kTowerInBlock);
    if (!part) return std::nullopt;
    return fmt::format("blocks.{}.{}", number, *part);
  }
  return renamed_for_tower(name, kTowerOutside);
}

TowerTensors tower_tensors(const std::vector<TensorView>& tensors, const std::string& source) {
  TowerTensors result;
  TowerBuilder builder(result, source);
  std::set<std::string> attentions, masked;  // "blocks.0.attn."
  for (const TensorView& tensor : tensors) {
    const auto name = name_in_tower(tensor.name);
    if (!name) {
      result.left_out.push_back(tensor.name);
      if (tensor.name.ends_with(kBiasMask) && tensor.name.starts_with(kTowerBlocks[0])) {
        masked.insert(tensor.name.substr(0, tensor.name.size() - kBiasMask.size()) + "attn.");
      }
      continue;
    }
    TensorView ours = tensor;
    ours.name = *name;
    builder.add(std::move(ours));
    if (const size_t at = name->find(".attn."); at != std::string::npos) {
      attentions.insert(name->substr(0, at + 6));
    }
  }
  for (const std::string& attention : attentions) {
    join_thirds(builder, attention, "weight");
    join_thirds(builder, attention, "bias");
    fill_bias(builder, attention + "qkv");
    if (masked.contains(attention)) clear_key_bias(builder, attention);
  }
  fill_bias(builder, "patch_embed.proj");
  for (const char* name : {"cls_token", "reg_token", "pos_embed"}) widen_table(builder, name);
  add_class_row(builder);
  transpose_projection(builder);
  for (auto& [name, tensor] : builder.all()) result.tensors.push_back(std::move(tensor));
  return result;
}

}  // namespace fcm::interop
