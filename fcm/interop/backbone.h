// Exports an encoder to other programs.
#pragma once

#include <filesystem>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// Formats that hold only an encoder, without decoder and optimizer state:
//   encoder       {"model": state_dict} in a .pth file, as upstream fine-tuning programs load it
//   timm          folder of config.json and model.safetensors, a VisionTransformer or a
//                 SwinTransformer
//   transformers  the same for Hugging Face's ViTModel or SwinModel, with preprocessor_config.json
bool is_backbone_format(const std::string& format);

// Writes the encoder to `out` and returns the number of tensors written. `recipe_text` is stored
// too unless it is empty. Throws Error(kUsage) if the other program has no such model (timm and
// transformers have ViT and Swin, but no ConvViT), Error(kCheckpoint) if writing fails.
size_t write_backbone(const std::string& format, const std::filesystem::path& out,
                      const checkpoint::Checkpoint& checkpoint, const recipe::Recipe& recipe,
                      const std::string& recipe_text, Reporter& reporter);

}  // namespace fcm::interop
