// Converts other programs' tensor names to the upstream names, and sorts tensors in the upstream
// order. Rules are tables; a new layout is a new row. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// Removes the parts of a name that wrappers of submodules insert: FSDP, activation checkpointing,
// torch.compile.
std::string without_inner_wrappers(std::string name);

// Removes the prefixes "module.", "_orig_mod.", "model." and "state_dict.", in any order and
// number. without_wrappers also removes "backbone."; segmenters and detectors have that prefix in
// their upstream names, so they need without_outer_wrappers.
std::string without_outer_wrappers(std::string name);
std::string without_wrappers(std::string name);

// The name that upstream (FastConvMAE, ConvMAE, MAE) gives a tensor: removes the prefixes of
// without_wrappers and "encoder.", in any order and number, and renames EasyCV's "decoder.X" to
// "decoder_X" and SimMIM's "decoder.0.X" to "decoder_pred.X".
std::string published_name(std::string_view name);

// Whether a tensor is a buffer that Swin computes from its window size but also stores in its
// files: the table row of each pair of cells, or the mask of shifted windows.
bool is_window_buffer(std::string_view name);

// timm numbers the merge between two Swin stages by the second stage, upstream by the first:
// "layers.1.downsample" is upstream's "layers.0.downsample". timm also calls the head "head.fc".
// These functions convert to the upstream names and back.
void from_timm_swin(std::vector<formats::TensorView>& tensors);
void to_timm_swin(std::vector<formats::TensorView>& tensors);

// The name of a tensor in files of the program that pretrained the model. It differs from the name
// here for SimMIM and GreenMIM: encoder tensors have the prefix "encoder.", and SimMIM's
// "decoder_pred." is "decoder.0.". `model`: all tensors of the model.
std::string name_in_program(std::string_view name, std::span<const formats::TensorView> model);

// Gives all tensors their published_name. Throws Error(kCheckpoint) if two get the same name;
// `source` is the file.
void rename_as_published(std::vector<formats::TensorView>& tensors, const std::string& source);

// Sorts tensors in the order of the upstream state_dict, by which optimizers number parameters.
// Unknown names come last, in their original order.
void sort_as_published(std::vector<formats::TensorView>& tensors);

// Whether `name` is a position table that `model` does not train: the table is in the state_dict,
// but not in the optimizer. Pretraining freezes its tables; a classifier (with head.weight) trains
// its positions.
bool is_frozen_table(std::string_view name, std::span<const formats::TensorView> model);

// The parameter groups of the upstream program that trains `model`: the value of optim.no_decay,
// and which group comes first.
struct OptimizerRule {
  std::string no_decay = "vectors";
  bool decayed_first = false;
};
OptimizerRule optimizer_rule(std::span<const formats::TensorView> model);

// The parameters of an upstream optimizer, by number: one group after the other, each in the order
// of `model`, which must be that of the state_dict. Tables that are not trained (is_frozen_table)
// are left out.
std::vector<const formats::TensorView*> optimizer_order(std::span<const formats::TensorView> model);

}  // namespace fcm::interop
