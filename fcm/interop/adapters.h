// Files of other programs: their names of tensors to the published ones, and what names and shapes
// say of the model. Rules are tables; a new layout is a new line. Links no LibTorch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// The name that the published programs (FastConvMAE, ConvMAE, MAE) give a tensor which wrappers
// know under a longer one: "module.", "_orig_mod.", "model.", "backbone." and "encoder." are taken
// off the front, in any order and number; "decoder.X" of EasyCV becomes "decoder_X".
std::string published_name(std::string_view name);

// Renames all. Throws Error(kCheckpoint) where two tensors come to one name; `source` is the file.
void rename_as_published(std::vector<formats::TensorView>& tensors, const std::string& source);

// The order of the published state_dict, by which optimizers number parameters. Names it does not
// know come last, in their order.
void sort_as_published(std::vector<formats::TensorView>& tensors);

// Tables of sines and cosines: in the state_dict, but no optimizer knows them.
bool is_frozen_table(std::string_view name);

// The parameters of a published optimizer by number: first those that do not decay, then those that
// do, each in the order of `model` (the state_dict's), frozen tables left out.
std::vector<const formats::TensorView*> optimizer_order(std::span<const formats::TensorView> model);

// A masked autoencoder or a classifier on its encoder, as far as tensors tell. Attention heads,
// normalisation of pixels and the target's are not in them.
struct Architecture {
  std::string kind;  // "conv_vit", or "vit" with one entry in each list below
  std::vector<int64_t> strides, dims, depths;
  std::vector<double> mlp_ratios;
  int64_t channels = 3;
  int64_t patches = 0;  // of the position table, class token not counted; 0: there is no table
  bool class_token = false;
  bool fuse = false;     // convolutions that bring the first stages to the last one
  bool norm = false;     // of the encoder's output
  bool fc_norm = false;  // of a classifier's mean token
  int64_t classes = 0;   // of a classifier's head; 0: none

  struct Decoder {
    int64_t dim = 0, depth = 0;
    double mlp_ratio = 4;
  };
  std::optional<Decoder> decoder;
  bool mask_token = false;

  int64_t patch_side() const;  // pixels
};

// Of tensors with published names. nullopt: no encoder that this program knows.
std::optional<Architecture> recognise(std::span<const formats::TensorView> tensors);

}  // namespace fcm::interop
