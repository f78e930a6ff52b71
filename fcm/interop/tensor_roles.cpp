#include "fcm/interop/tensor_roles.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>

namespace fcm::interop {
namespace {

struct Row {
  const char* pattern;
  TensorRole role;
};

// The patterns are disjoint: no name matches two.
constexpr std::array kTable = {
    Row{"cls_token", TensorRole::kEncoder},
    Row{"pos_embed", TensorRole::kEncoder},
    Row{"patch_embed.*", TensorRole::kEncoder},   // ViT
    Row{"patch_embed?.*", TensorRole::kEncoder},  // ConvViT
    Row{"blocks.*", TensorRole::kEncoder},
    Row{"blocks?.*", TensorRole::kEncoder},
    Row{"layers.*", TensorRole::kEncoder},  // Swin
    Row{"norm.*", TensorRole::kEncoderNorm},
    Row{"stage?_output_decode.*", TensorRole::kFusion},
    Row{"mask_token", TensorRole::kDecoder},
    Row{"decoder_*", TensorRole::kDecoder},
    Row{"reconstructors.*", TensorRole::kTarget},
    Row{"mimic.*", TensorRole::kTarget},
    Row{"head.*", TensorRole::kHead},
    Row{"fc_norm.*", TensorRole::kHeadNorm},
};

}  // namespace

std::optional<TensorRole> role_of(std::string_view name) {
  const std::string text(name);  // fnmatch needs a terminated string
  const auto row = std::find_if(kTable.begin(), kTable.end(), [&](const Row& one) {
    return ::fnmatch(one.pattern, text.c_str(), 0) == 0;
  });
  return row == kTable.end() ? std::nullopt : std::optional(row->role);
}

bool has_role(std::string_view name, std::initializer_list<TensorRole> roles) {
  const std::optional<TensorRole> role = role_of(name);
  return role && std::find(roles.begin(), roles.end(), *role) != roles.end();
}

std::vector<std::string> patterns_of(std::initializer_list<TensorRole> roles) {
  std::vector<std::string> patterns;
  for (const Row& row : kTable) {
    if (std::find(roles.begin(), roles.end(), row.role) != roles.end()) {
      patterns.emplace_back(row.pattern);
    }
  }
  return patterns;
}

}  // namespace fcm::interop
