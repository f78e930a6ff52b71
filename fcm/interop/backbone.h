// An encoder for programs that build on one.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// Formats that hold an encoder, without decoder and moments:
//   encoder       {"model": state_dict} in a .pth file, what the published fine-tuning programs
//   load timm          folder of config.json and model.safetensors, a VisionTransformer or a
//                 SwinTransformer
//   transformers  the same for Hugging Face's ViTModel or SwinModel, with preprocessor_config.json
bool is_backbone_format(const std::string& format);

// The last two are for ViT and Swin. Throws Error(kUsage) for a ConvViT, and for what the other
// program's model has no place for; Error(kCheckpoint) where writing fails. Returns how many
// tensors were written. `recipe_text` goes along where it is not empty.
size_t write_backbone(const std::string& format, const std::filesystem::path& out,
                      const checkpoint::Checkpoint& checkpoint, const recipe::Recipe& recipe,
                      const std::string& recipe_text, Reporter& reporter);

}  // namespace fcm::interop
