// Reads facts about an image tower from the files beside its weights: facts that cannot be inferred
// from tensors. Links no LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "fcm/targets/teacher_options.h"

namespace fcm::interop {

struct TowerFacts {
  std::string source;  // "config.json"; empty: no facts
  std::optional<encoder::Gelu> gelu;
  std::optional<double> norm_epsilon;
  std::optional<int64_t> heads;
  std::optional<int64_t> dim, depth, stride;
  std::optional<std::array<double, 3>> mean, stddev;
};

// Facts in config.json, preprocessor_config.json and open_clip_config.json in `folder`, as
// transformers, timm and open_clip write them. If these files exist but do not name the GELU, it is
// the default of the library's class. Throws Error(kCheckpoint) for invalid JSON, an unknown
// activation, and an invalid mean or std.
TowerFacts tower_facts(const std::filesystem::path& folder, targets::TeacherKind kind);

}  // namespace fcm::interop
