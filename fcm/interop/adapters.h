// Files of other programs: their names of tensors to the published ones, and the published order.
// Rules are tables; a new layout is a new line. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// The name without what wrappers of single modules put into the midst of it: FSDP, activation
// checkpointing, torch.compile.
std::string without_inner_wrappers(std::string name);

// The name without "module.", "_orig_mod.", "model." and "state_dict." in front of it, in any order
// and number; and without "backbone." as well, which belongs to the names of segmenters alone.
std::string without_outer_wrappers(std::string name);
std::string without_wrappers(std::string name);

// The name that the published programs (FastConvMAE, ConvMAE, MAE) give a tensor which wrappers
// know under a longer one: what without_wrappers takes off and "encoder.", in any order and number;
// "decoder.X" of EasyCV becomes "decoder_X".
std::string published_name(std::string_view name);

// Whether a tensor is one that Swin computes from the size of its windows and keeps in its files
// all the same: which row of a table belongs to which two cells, and what a shifted window masks.
bool is_window_buffer(std::string_view name);

// timm puts the merge that ends a stage of Swin in front of the next one, and its head one level
// deeper: to the published names, and back.
void from_timm_swin(std::vector<formats::TensorView>& tensors);
void to_timm_swin(std::vector<formats::TensorView>& tensors);

// The name that the published program of a pretrained model has in its files, where it puts
// something in front of ours: "encoder." of SimMIM and GreenMIM. `model`: all of its tensors.
std::string name_in_program(std::string_view name, std::span<const formats::TensorView> model);

// Renames all. Throws Error(kCheckpoint) where two tensors come to one name; `source` is the file.
void rename_as_published(std::vector<formats::TensorView>& tensors, const std::string& source);

// The order of the published state_dict, by which optimizers number parameters. Names it does not
// know come last, in their order.
void sort_as_published(std::vector<formats::TensorView>& tensors);

// A table of sines and cosines that `model` does not train: in the state_dict, but no optimizer
// knows it. Pretraining trains none; a classifier (one with head.weight) trains its positions.
bool is_frozen_table(std::string_view name, std::span<const formats::TensorView> model);

// How the published program of a model groups its parameters: by optim.no_decay, and which group is
// the first.
struct OptimizerRule {
  std::string no_decay = "vectors";
  bool decayed_first = false;
};
OptimizerRule optimizer_rule(std::span<const formats::TensorView> model);

// The parameters of a published optimizer by number: one group after the other, each in the order
// of `model` (the state_dict's), frozen tables left out.
std::vector<const formats::TensorView*> optimizer_order(std::span<const formats::TensorView> model);

}  // namespace fcm::interop
