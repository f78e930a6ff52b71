// Converts names of tensors between upstream and the ViT and Swin of Hugging Face's transformers
// (ViTModel, ViTMAEModel, SwinModel and models built on them). Source: modeling_vit.py,
// modeling_vit_mae.py and modeling_swin.py of transformers. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/buffer.h"

namespace fcm::interop {

// Gives an encoder's tensors (upstream names) the names of ViTModel or SwinModel. The rows of
// attn.qkv are those of query, then key, then value, so these three become views of its bytes.
std::vector<formats::TensorView> as_transformers(std::span<const formats::TensorView> encoder);

// Whether tensors have names of these models, with or without a prefix.
bool are_of_transformers(std::span<const formats::TensorView> tensors);

// The inverse of as_transformers, for an encoder with or without the prefix "vit." or "swin.", for
// the decoder of ViTMAE and for a classifier's head. Other names stay unchanged; without such an
// encoder all names do. Query, key and value are joined in the returned buffer. Throws
// Error(kCheckpoint) that names `source` if one of the three is missing or differs in shape or
// dtype.
formats::Buffer from_transformers(std::vector<formats::TensorView>& tensors,
                                  const std::string& source);

}  // namespace fcm::interop
