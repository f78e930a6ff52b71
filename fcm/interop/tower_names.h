// Tensors of image towers under the names that they have here, which are timm's: cls_token,
// reg_token, pos_embed, patch_embed.proj, norm_pre, blocks.N.{norm1, attn.qkv, attn.proj,
// ls1.gamma, norm2, mlp.fc1, mlp.fc2, ls2.gamma}, norm, and CLIP's proj. Links no LibTorch.
//
// Sources of the others' names: vision_transformer.py of facebookresearch/dino, dinov2 and dinov3;
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

// Of a name without what stands in front of all of a tower's. Queries, keys and values that stand
// apart get names of their own, "blocks.0.attn.q.weight". nullopt: no part of a tower.
std::optional<std::string> name_in_tower(std::string_view name);

struct TowerTensors {
  std::vector<formats::TensorView> tensors;  // as towers have them here
  std::vector<std::string> left_out;         // names of the rest
  std::vector<formats::Buffer> owners;       // of what is not in the file as it is here
};

// Renames, gives tables and tokens the shapes [1, T, C], puts queries, keys and values together,
// and adds what some programs leave out because it is zero: biases, the bias of keys, the class
// token's row of positions. Throws Error(kCheckpoint), which names `source`, where two tensors come
// to one name, or queries, keys and values do not fit together.
TowerTensors tower_tensors(const std::vector<formats::TensorView>& tensors,
                           const std::string& source);

}  // namespace fcm::interop
