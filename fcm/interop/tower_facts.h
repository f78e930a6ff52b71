// What the files beside an image tower say of it that tensors do not tell. Links no LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "fcm/targets/teacher_options.h"

namespace fcm::interop {

struct TowerFacts {
  std::string source;  // "config.json"; empty: no file says anything
  std::optional<encoder::Gelu> gelu;
  std::optional<double> norm_epsilon;
  std::optional<int64_t> heads;
  std::optional<int64_t> dim, depth, stride;
  std::optional<std::array<double, 3>> mean, deviation;
};

// Of config.json, preprocessor_config.json and open_clip_config.json in that folder, in the words
// of transformers, timm and open_clip. A GELU that no file names is that of the library's class.
// Throws Error(kCheckpoint) for a file that is no JSON, an activation that there is not here, and a
// mean or deviation that is none.
TowerFacts tower_facts(const std::filesystem::path& folder, targets::TeacherKind kind);

}  // namespace fcm::interop
