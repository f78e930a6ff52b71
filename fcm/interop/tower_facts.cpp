#include "fcm/interop/tower_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/facts_collector.h"
#include "fcm/interop/json_file.h"
#include "fcm/interop/model_folder.h"

namespace fcm::interop {
namespace {

using encoder::Gelu;
using nlohmann::json;
using targets::TeacherKind;

constexpr const char* kOpenClipConfig = "open_clip_config.json";

Gelu gelu_named(const std::string& name, const std::string& file) {
  if (name == "quick_gelu" || name == "quickgelu") return Gelu::kQuick;
  if (name == "gelu" || name == "GELU" || name == "gelu_python") return Gelu::kExact;
  if (name == "gelu_pytorch_tanh" || name == "gelu_tanh" || name == "gelu_new") return Gelu::kTanh;
  fail(ExitCode::kCheckpoint,
       "{} says that the activation is {}, but towers here only have gelu, gelu_pytorch_tanh or "
       "quick_gelu",
       file, name);
}

std::optional<std::array<double, 3>> three_channels(const json& value) {
  const auto numbers = by_channel(value);
  if (!numbers) return std::nullopt;
  if (numbers->size() == 1) return std::array{(*numbers)[0], (*numbers)[0], (*numbers)[0]};
  if (numbers->size() != 3) return std::nullopt;
  return std::array{(*numbers)[0], (*numbers)[1], (*numbers)[2]};
}

// The image part of a transformers configuration.
const json& vision_config_of(const json& config) {
  const json& vision = member(config, "vision_config");
  return vision.is_object() ? vision : config;
}

// The default of transformers' class: files of transformers name only settings that differ from the
// defaults.
Gelu gelu_of_class(TeacherKind kind) { return targets::of_kind(kind).gelu; }

void take_tower_of_transformers(const json& config, const std::string& file, TeacherKind kind,
                                TowerFacts& facts) {
  const json& vision = vision_config_of(config);
  const std::string activation = text_in(member(vision, "hidden_act"));
  facts.gelu = activation.empty() ? gelu_of_class(kind) : gelu_named(activation, file);
  constexpr double kBase = 100;  // as in targets::Teacher
  const auto base = finite(member(vision, "rope_theta"));
  if (kind == TeacherKind::kDinoV3 && base && *base != kBase) {
    fail(ExitCode::kCheckpoint, "{} says rope_theta = {}, but a DINOv3 here has {}", file, *base,
         kBase);
  }
  const auto epsilon = finite(member(vision, "layer_norm_eps"));
  if (epsilon && *epsilon >= 1e-15 && *epsilon <= 0.1) facts.norm_epsilon = epsilon;
}

// timm's CLIPs have the exact GELU unless their name says otherwise. timm's smaller SigLIPs have it
// too, but upstream trained their weights with the tanh approximation, which is used here.
void take_tower_of_timm(const json& config, const std::string& file, TeacherKind kind,
                        TowerFacts& facts) {
  const std::string activation = text_in(member(member(config, "model_args"), "act_layer"));
  const std::string architecture = text_in(member(config, "architecture"));
  if (!activation.empty()) {
    facts.gelu = gelu_named(activation, file);
  } else if (architecture.find("quickgelu") != std::string::npos) {
    facts.gelu = Gelu::kQuick;
  } else {
    facts.gelu = kind == TeacherKind::kSiglip ? Gelu::kTanh : Gelu::kExact;
  }
}

void take_tower_of_open_clip(const json& config, TeacherKind kind, TowerFacts& facts) {
  const json& model = member(config, "model_cfg");
  const json& vision = member(model, "vision_cfg");
  if (kind == TeacherKind::kClip) {
    const bool quick = truth(member(model, "quick_gelu")) == true;
    facts.gelu = quick ? Gelu::kQuick : Gelu::kExact;
  }
  facts.dim = whole(member(vision, "width"));
  facts.depth = whole(member(vision, "layers"));
  facts.stride = whole(member(vision, "patch_size"));
  const int64_t head = whole(member(vision, "head_width")).value_or(64);
  if (facts.dim && *facts.dim % head == 0) facts.heads = *facts.dim / head;
  const json& images = member(config, "preprocess_cfg");
  facts.mean = three_channels(member(images, "mean"));
  facts.stddev = three_channels(member(images, "std"));
}

void take_tower_images(const json& known, TowerFacts& facts) {
  for (const char* key : {"data.mean", "data.deviation"}) {
    const std::string fault = text_in(member(member(known, "unusable"), key));
    if (!fault.empty()) fail(ExitCode::kCheckpoint, "{}; fix the file", fault);
  }
  const json& keys = member(known, "keys");
  facts.mean = three_channels(member(keys, "data.mean"));
  facts.stddev = three_channels(member(keys, "data.deviation"));
  facts.heads = whole(member(keys, "encoder.heads"));
  const json& sizes = member(known, "sizes");
  facts.dim = whole(member(sizes, "dim"));
  facts.depth = whole(member(sizes, "depth"));
  facts.stride = whole(member(sizes, "patch"));
}

}  // namespace

TowerFacts tower_facts(const std::filesystem::path& folder, TeacherKind kind) {
  TowerFacts facts;
  const JsonFile open_clip = read_json_object(folder / kOpenClipConfig);
  if (!open_clip.fault.empty()) fail(ExitCode::kCheckpoint, "{}", open_clip.fault);
  if (member(open_clip.object, "model_cfg").is_object()) {
    facts.source = kOpenClipConfig;
    take_tower_of_open_clip(open_clip.object, kind, facts);
    return facts;
  }
  const FolderFacts beside = facts_of_folder(folder);
  if (!beside.fault.empty()) fail(ExitCode::kCheckpoint, "{}", beside.fault);
  take_tower_images(beside.facts, facts);
  facts.source = text_in(member(beside.facts, "source"));
  const json config = read_json_object(folder / kConfigFile).object;
  const bool timm = config.is_object() && config.contains("architecture");
  if (timm) {
    take_tower_of_timm(config, kConfigFile, kind, facts);
  } else if (config.is_object()) {
    take_tower_of_transformers(config, kConfigFile, kind, facts);
  }
  return facts;
}

}  // namespace fcm::interop
