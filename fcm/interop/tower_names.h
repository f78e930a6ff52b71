// Renames tensors of image towers to this program's names, which are timm's: cls_token, reg_token,
// pos_embed, patch_embed.proj, norm_pre, blocks.N.{norm1, attn.qkv, attn.proj, ls1.gamma, norm2,
// mlp.fc1, mlp.fc2, ls2.gamma}, norm, and CLIP's proj. Links no LibTorch.
//
// Sources of the other names: vision_transformer.py of facebookresearch/dino, dinov2 and dinov3;
// openai/CLIP's model.py and open_clip's transformer.py; transformers' modeling_vit, dinov2,
// dinov2_with_registers, dinov3_vit, clip and siglip; timm's vision_transformer.py and eva.py.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

// The name here of a tensor; `name` is without the tower's prefix. Separate queries, keys and
// values get names of their own, "blocks.0.attn.q.weight". nullopt: not part of a tower.
std::optional<std::string> name_in_tower(std::string_view name);

struct TowerTensors {
  std::vector<formats::TensorView> tensors;  // with this program's names and shapes
  std::vector<std::string> left_out;         // names of all other tensors
  std::vector<formats::Buffer> owners;       // memory of tensors that are not in the file
};

// Renames tensors, gives tables and tokens the shape [1, T, C], joins queries, keys and values,
// transposes a Linear's projection, zeroes masked key biases, and adds zeros that some programs
// leave out: biases, key biases, the class token's row of positions. Throws Error(kCheckpoint) that
// names `source` if two tensors get the same name, or if queries, keys and values differ in shape
// or dtype.
TowerTensors tower_tensors(const std::vector<formats::TensorView>& tensors,
                           const std::string& source);

}  // namespace fcm::interop
