// The part of a network that a tensor belongs to, by its upstream name. The one table for this is
// used wherever a part of a file is read, dropped or written. A new module is a new row. Links no
// LibTorch.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::interop {

enum class TensorRole {
  kEncoder,      // positions, class token, patch embeddings, blocks
  kEncoderNorm,  // after the encoder's blocks; with mean_pool only in a Swin's classifier
  kFusion,       // layers that fuse the first stages with the last; not in classifiers
  kDecoder,      // mask token, positions, and the parts shared by all targets
  kTarget,       // a target's own blocks, norm and prediction; the mimic layers too
  kHead,         // of a classifier or a probe
  kHeadNorm,     // norm of a classifier's mean token, before the head
};

// nullopt: no model of this program has that name.
std::optional<TensorRole> role_of(std::string_view name);

bool has_role(std::string_view name, std::initializer_list<TensorRole> roles);

// The table's patterns (with * and ?) for these roles, for train::LoadRules.
std::vector<std::string> patterns_of(std::initializer_list<TensorRole> roles);

}  // namespace fcm::interop
