// Names of tensors in the ViT and the Swin of Hugging Face's transformers (ViTModel, ViTMAEModel,
// SwinModel and what is built on them) and the published ones, both ways. Source: its
// modeling_vit.py, modeling_vit_mae.py and modeling_swin.py. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/buffer.h"

namespace fcm::interop {

// An encoder's tensors (published names) under the names of ViTModel or SwinModel. Rows of attn.qkv
// are those of query, key and value one after another, so nothing is copied: three views of its
// bytes.
std::vector<formats::TensorView> as_transformers(std::span<const formats::TensorView> encoder);

// Whether tensors have names of these models, with or without something in front.
bool are_of_transformers(std::span<const formats::TensorView> tensors);

// The way back, for an encoder, with or without "vit." or "swin." in front, the decoder of ViTMAE
// and a classifier's head. Other names stay, and so does everything where there is no such encoder.
// Query, key and value are put together in the bytes that are returned. Throws Error(kCheckpoint),
// which names `source`, where one of the three is missing or of another shape or type.
formats::Buffer from_transformers(std::vector<formats::TensorView>& tensors,
                                  const std::string& source);

}  // namespace fcm::interop
