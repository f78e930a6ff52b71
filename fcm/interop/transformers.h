// Converts names of tensors between upstream and the ViT and Swin of Hugging Face's transformers
// (ViTModel, ViTMAEModel, SwinModel and models built on them). Source: its modeling_vit.py,
// modeling_vit_mae.py and modeling_swin.py. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/buffer.h"

namespace fcm::interop {

// An encoder's tensors (upstream names) under the names of ViTModel or SwinModel. The rows of
// attn.qkv are those of query, key and value in turn, so they become three views of its bytes,
// without a copy.
std::vector<formats::TensorView> as_transformers(std::span<const formats::TensorView> encoder);

// Whether tensors have names of these models, with or without a prefix.
bool are_of_transformers(std::span<const formats::TensorView> tensors);

// The inverse, for an encoder with or without the prefix "vit." or "swin.", the decoder of ViTMAE
// and a classifier's head. Other names stay unchanged, and so do all if there is no such encoder.
// Query, key and value are joined in the returned buffer. Throws Error(kCheckpoint) that names
// `source` if one of the three is missing or differs in shape or dtype.
formats::Buffer from_transformers(std::vector<formats::TensorView>& tensors,
                                  const std::string& source);

}  // namespace fcm::interop
