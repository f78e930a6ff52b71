// The tensors of a small ViT, and .pth files of tensors as other programs write them.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fcm/formats/pth.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::test {

// Float32 tensors with distinct values: 0.01, 0.02, ..., counted through all tensors in the order
// of add().
struct Tensors {
  std::vector<formats::TensorView> views;
  std::deque<std::vector<float>> values;

  void add(const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<float>& added = values.emplace_back();
    for (int64_t i = 0; i < count; ++i) added.push_back(static_cast<float>(next_++) / 100);
    views.push_back({name, "F32", std::move(shape), std::as_bytes(std::span(added))});
  }

 private:
  int next_ = 1;
};

// A ViT with two blocks of 8 channels, patches of 4 x 4 pixels in a 2 x 2 grid, and a class token.
inline Tensors small_vit(const std::string& front = "", int64_t rows = 5) {
  Tensors tensors;
  tensors.add(front + "cls_token", {1, 1, 8});
  tensors.add(front + "pos_embed", {1, rows, 8});
  tensors.add(front + "patch_embed.proj.weight", {8, 3, 4, 4});
  tensors.add(front + "patch_embed.proj.bias", {8});
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    for (const auto& [name, shape] :
         std::vector<std::pair<std::string, std::vector<int64_t>>>{{"norm1.weight", {8}},
                                                                   {"norm1.bias", {8}},
                                                                   {"attn.qkv.weight", {24, 8}},
                                                                   {"attn.qkv.bias", {24}},
                                                                   {"attn.proj.bias", {8}},
                                                                   {"attn.proj.weight", {8, 8}},
                                                                   {"norm2.weight", {8}},
                                                                   {"norm2.bias", {8}},
                                                                   {"mlp.fc1.weight", {32, 8}},
                                                                   {"mlp.fc1.bias", {32}},
                                                                   {"mlp.fc2.bias", {8}},
                                                                   {"mlp.fc2.weight", {8, 32}}}) {
      tensors.add(front + block + name, shape);
    }
  }
  tensors.add(front + "norm.weight", {8});
  tensors.add(front + "norm.bias", {8});
  return tensors;
}
constexpr size_t kSmallVitTensors = 30;

inline formats::Value text_value(const std::string& text) { return {text}; }

// {key: value, ...}
inline formats::Value dict_value(std::vector<std::pair<std::string, formats::Value>> entries) {
  formats::Value::Dict dict;
  for (auto& [key, value] : entries) dict.items.push_back({text_value(key), std::move(value)});
  return {std::move(dict)};
}

// Collects the tensors of a tree for formats::write_pth.
class PthTree {
 public:
  formats::Value tensor(const formats::TensorView& view) {
    tensors_.push_back(view);
    return {formats::Value::Tensor{tensors_.size() - 1, false}};
  }
  formats::Value state_dict(const Tensors& tensors, const std::string& front = "") {
    formats::Value::Dict dict;
    dict.ordered = true;
    for (const formats::TensorView& view : tensors.views) {
      dict.items.push_back({text_value(front + view.name), tensor(view)});
    }
    return {std::move(dict)};
  }
  const std::vector<formats::TensorView>& tensors() const { return tensors_; }

 private:
  std::vector<formats::TensorView> tensors_;
};

}  // namespace fcm::test
