// Which part of a network a tensor belongs to, told by its published name: one table, for whoever
// takes, leaves out or writes a part of a file. A new module is a new line. Links no LibTorch.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::interop {

enum class TensorRole {
  kEncoder,      // positions, class token, patch embeddings, blocks
  kEncoderNorm,  // behind the encoder's blocks; a classifier of the mean token has none
  kFusion,       // convolutions that bring the first stages to the last one; no classifier has them
  kDecoder,      // mask token, positions, and what all targets share; of one target all of it
  kTarget,       // a target's own blocks, norm and prediction, the mimicked one's among them
  kHead,         // of a classifier or a probe
  kHeadNorm,     // of a classifier's mean token, before the head
};

// nullopt: a name that no model of this program has.
std::optional<TensorRole> role_of(std::string_view name);

bool has_role(std::string_view name, std::initializer_list<TensorRole> roles);

// The table's patterns (with * and ?) of these roles, for train::LoadRules.
std::vector<std::string> patterns_of(std::initializer_list<TensorRole> roles);

}  // namespace fcm::interop
