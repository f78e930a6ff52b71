// From other programs' tensor names to the upstream names, and the upstream order. Rules are
// tables; a new layout is a new row. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// Removes what wrappers of submodules insert inside names: FSDP, activation checkpointing,
// torch.compile.
std::string without_inner_wrappers(std::string name);

// Removes the prefixes "module.", "_orig_mod.", "model." and "state_dict.", in any order and
// number; without_wrappers also removes "backbone.", which is part of the names of segmenters and
// detectors only.
std::string without_outer_wrappers(std::string name);
std::string without_wrappers(std::string name);

// The name that upstream (FastConvMAE, ConvMAE, MAE) gives a tensor: removes the prefixes of
// without_wrappers and "encoder.", in any order and number, and renames EasyCV's "decoder.X" to
// "decoder_X".
std::string published_name(std::string_view name);

// Whether a tensor is one that Swin computes from its window size but stores in its files all the
// same: the table row of each pair of cells, and the mask of shifted windows.
bool is_window_buffer(std::string_view name);

// timm numbers the merge that ends a Swin stage with the next stage, and nests the head one level
// deeper. These convert to the upstream names, and back.
void from_timm_swin(std::vector<formats::TensorView>& tensors);
void to_timm_swin(std::vector<formats::TensorView>& tensors);

// The name in files of the program that pretrained a model, if it has a prefix that we drop:
// "encoder." in SimMIM and GreenMIM. `model`: all of its tensors.
std::string name_in_program(std::string_view name, std::span<const formats::TensorView> model);

// Renames all tensors. Throws Error(kCheckpoint) if two get the same name; `source` is the file.
void rename_as_published(std::vector<formats::TensorView>& tensors, const std::string& source);

// Sorts by the order of the upstream state_dict, by which optimizers number parameters. Unknown
// names come last, in their original order.
void sort_as_published(std::vector<formats::TensorView>& tensors);

// Whether this is a sine-cosine table that `model` does not train: it is in the state_dict, but not
// in the optimizer. Pretraining freezes its tables; a classifier (with head.weight) trains its
// positions.
bool is_frozen_table(std::string_view name, std::span<const formats::TensorView> model);

// The upstream program's parameter groups: the value of optim.no_decay, and which group comes
// first.
struct OptimizerRule {
  std::string no_decay = "vectors";
  bool decayed_first = false;
};
OptimizerRule optimizer_rule(std::span<const formats::TensorView> model);

// The parameters of an upstream optimizer in numeric order: one group after the other, each in the
// order of `model` (the state_dict's), without the tables that are not trained (is_frozen_table).
std::vector<const formats::TensorView*> optimizer_order(std::span<const formats::TensorView> model);

}  // namespace fcm::interop
