#include "fcm/interop/teacher_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/hub_cache.h"
#include "fcm/interop/model_folder.h"
#include "fcm/interop/tower_facts.h"
#include "fcm/interop/tower_names.h"
#include "fcm/interop/weight_sets.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using formats::TensorView;
using targets::TeacherKind;
using targets::TeacherOptions;

// --- files ---

fs::path tower_weights_in(const fs::path& path, std::vector<std::string>& remarks) {
  if (!is_there(path, ExitCode::kCheckpoint)) {
    fail(ExitCode::kCheckpoint, "{} does not exist", path.string());
  }
  if (!is_folder(path, ExitCode::kCheckpoint)) return path;
  const fs::path folder = snapshot_in(path).value_or(path);
  const std::optional<FoundWeights> found = find_weights(folder);
  if (!found) {
    const std::string files = weights_like(folder);
    fail(ExitCode::kCheckpoint,
         "{} holds no model.safetensors, pytorch_model.bin or open_clip_model.safetensors, nor a "
         "single "
         "file of weights with another name{}",
         folder.string(), files.empty() ? "" : fmt::format("; name one of {}", files));
  }
  for (const std::string& other : found->skipped) {
    remarks.push_back(
        fmt::format("{}: {}; using {}", folder.string(), other, found->file.filename().string()));
  }
  return found->file;
}

void read_tower_tensors(const fs::path& file, TeacherFile& teacher) {
  if (is_index(file)) {
    teacher.model = read_indexed(file, 0);
    return;
  }
  const std::string beginning = formats::beginning_of(file);
  const bool named = file.extension() == ".safetensors";
  const auto kind = formats::weights_kind(std::as_bytes(std::span(beginning)));
  if (kind == formats::WeightsKind::kSafetensors ||
      (named && kind == formats::WeightsKind::kOther)) {
    teacher.model = formats::read_safetensors(file);
    return;
  }
  formats::PthFile pth = formats::read_pth(file);
  teacher.model.data = std::move(pth.storage);
  teacher.model.tensors = std::move(pth.tensors);
  teacher.owners.push_back(std::move(pth.copies));
}

// --- the tower among the tensors ---

// Names of patch embeddings. A tower is found by its patch embedding: what stands before this name
// is the prefix of all names of the tower.
constexpr std::array<std::string_view, 5> kPatchEmbeddings = {
    "patch_embed.proj.weight", "conv1.weight", "embeddings.patch_embeddings.projection.weight",
    "embeddings.patch_embeddings.weight", "embeddings.patch_embedding.weight"};

struct TowerCandidate {
  std::string prefix;
  std::vector<TensorView> tensors;  // without the prefix
  size_t understood = 0;
};

std::vector<std::string> tower_prefixes(const std::vector<TensorView>& tensors) {
  std::vector<std::string> prefixes;
  for (const TensorView& tensor : tensors) {
    for (const std::string_view anchor : kPatchEmbeddings) {
      if (!tensor.name.ends_with(anchor)) continue;
      const std::string prefix = tensor.name.substr(0, tensor.name.size() - anchor.size());
      const bool whole_words = prefix.empty() || prefix.back() == '.';
      if (whole_words && std::ranges::find(prefixes, prefix) == prefixes.end()) {
        prefixes.push_back(prefix);
      }
    }
  }
  return prefixes;
}

TowerCandidate tower_candidate(const std::vector<TensorView>& tensors, const std::string& prefix) {
  constexpr std::string_view kVision = "vision_model.", kProjection = "visual_projection.weight";
  TowerCandidate candidate{prefix, {}, 0};
  const bool beside = prefix.ends_with(kVision);
  const std::string outer = beside ? prefix.substr(0, prefix.size() - kVision.size()) : prefix;
  for (const TensorView& tensor : tensors) {
    const bool projection = beside && tensor.name == outer + std::string(kProjection);
    if (!projection && !tensor.name.starts_with(prefix)) continue;
    TensorView inside = tensor;
    inside.name.erase(0, projection ? outer.size() : prefix.size());
    if (name_in_tower(inside.name)) ++candidate.understood;
    candidate.tensors.push_back(std::move(inside));
  }
  return candidate;
}

// A teacher comes before its student, because DINO uses the teacher; otherwise the candidate with
// the most known names comes first.
std::optional<TowerCandidate> best_candidate(const std::vector<TensorView>& tensors,
                                             std::vector<std::string>& remarks,
                                             const std::string& source) {
  std::vector<TowerCandidate> all;
  for (const std::string& prefix : tower_prefixes(tensors)) {
    all.push_back(tower_candidate(tensors, prefix));
  }
  if (all.empty()) return std::nullopt;
  const auto is_teacher = [](const TowerCandidate& one) {
    return one.prefix.find("teacher") != std::string::npos;
  };
  std::ranges::stable_sort(all, [&](const TowerCandidate& left, const TowerCandidate& right) {
    if (is_teacher(left) != is_teacher(right)) return is_teacher(left);
    return left.understood > right.understood;
  });
  if (all.size() > 1) {
    std::vector<std::string> others;
    for (size_t i = 1; i < all.size(); ++i) {
      others.push_back(all[i].prefix.empty() ? "(without a prefix)" : all[i].prefix);
    }
    remarks.push_back(fmt::format("{} holds several networks: using {}, not {}", source,
                                  all[0].prefix, fmt::join(others, ", ")));
  }
  return std::move(all.front());
}

// --- the kind of tower ---

struct TowerForeign {
  std::string_view part, sentence;
};

// Parts of networks whose other tensors look like a tower's.
constexpr std::array kTowerForeign = {
    TowerForeign{"mlp.w12.", "gated MLPs (SwiGLU), as DINOv2's giant has"},
    TowerForeign{"mlp.weights_in.", "gated MLPs (SwiGLU), as DINOv2's giant has"},
    TowerForeign{"mlp.w1.", "gated MLPs (SwiGLU), as DINOv3's S+, H+ and 7B have"},
    TowerForeign{"mlp.gate_proj.", "gated MLPs (SwiGLU), as DINOv3's S+, H+ and 7B have"},
    TowerForeign{"mlp.fc1_g.", "gated MLPs (SwiGLU), as DINOv3's S+, H+ and 7B have"},
    TowerForeign{"q_norm.", "norms of queries and keys"},
    TowerForeign{"relative_position", "relative positions, as BEiT and Swin have"},
    TowerForeign{"dist_token", "a distillation token, as DeiT has"},
    TowerForeign{"distillation_token", "a distillation token, as DeiT has"},
    TowerForeign{"rope.freqs", "learned rotary positions"},
    TowerForeign{"mlp.norm.", "a norm inside its MLPs, as EVA-02 has"},
};

// What a file without a tower holds instead; empty: unknown.
std::string what_else(const std::vector<TensorView>& tensors) {
  const auto any = [&](std::string_view part) {
    return std::ranges::any_of(tensors, [&](const TensorView& tensor) {
      return tensor.name.find(part) != std::string::npos;
    });
  };
  if (any("visual.layer1.") || any("visual.attnpool."))
    return "a CLIP whose image tower is a ResNet";
  if (any("visual.trunk.")) return "a CLIP whose image tower is not a ViT";
  if (any("text_model.") || any("token_embedding.weight")) return "only a text tower";
  return "";
}

constexpr const char* kExpected =
    "a teacher is the ViT of DINO, DINOv2, DINOv3, CLIP or SigLIP, from upstream or as timm, "
    "transformers or open_clip write it";

[[noreturn]] void refuse_tensors(const std::vector<TensorView>& tensors,
                                 const std::string& source) {
  if (const std::string what = what_else(tensors); !what.empty()) {
    fail(ExitCode::kCheckpoint, "{} holds {}; {}", source, what, kExpected);
  }
  constexpr size_t kShown = 4;
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(kShown, tensors.size()); ++i) names.push_back(tensors[i].name);
  fail(ExitCode::kCheckpoint, "{}: none of its {} tensors embeds patches (they begin with {}); {}",
       source, tensors.size(), names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")),
       kExpected);
}

const TensorView* tensor_called(const std::vector<TensorView>& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorView::name);
  return found == tensors.end() ? nullptr : &*found;
}

void refuse_foreign(const TowerTensors& tower, const std::string& source) {
  for (const std::string& name : tower.left_out) {
    for (const TowerForeign& part : kTowerForeign) {
      if (name.find(part.part) == std::string::npos) continue;
      fail(ExitCode::kCheckpoint, "{} holds a ViT with {} ({}), which no teacher here has; {}",
           source, part.sentence, name, kExpected);
    }
  }
}

// The features that distinguish the kinds. All of them must match.
struct TowerSigns {
  bool class_token, registers, positions, norm_before, layer_scale;
  bool operator==(const TowerSigns&) const = default;
};

TeacherKind tower_kind(const std::vector<TensorView>& tensors, const std::string& source) {
  const auto has = [&](const char* name) { return tensor_called(tensors, name) != nullptr; };
  const TowerSigns signs{has("cls_token"), has("reg_token"), has("pos_embed"),
                         has("norm_pre.weight"), has("blocks.0.ls1.gamma")};
  struct Known {
    TeacherKind kind;
    TowerSigns signs;
  };
  constexpr std::array kKnown = {
      Known{TeacherKind::kDino, {true, false, true, false, false}},
      Known{TeacherKind::kDinoV2, {true, false, true, false, true}},
      Known{TeacherKind::kDinoV2, {true, true, true, false, true}},
      Known{TeacherKind::kDinoV3, {true, true, false, false, true}},
      Known{TeacherKind::kClip, {true, false, true, true, false}},
      Known{TeacherKind::kSiglip, {false, false, true, false, false}},
  };
  const bool blocks = has("blocks.0.norm1.weight") && has("blocks.0.attn.qkv.weight");
  const auto known = std::ranges::find(kKnown, signs, &Known::signs);
  if (blocks && known != kKnown.end()) return known->kind;
  const auto word = [](bool there) { return there ? "" : "no "; };
  fail(ExitCode::kCheckpoint,
       "{} holds a network with {}class token, {}registers, {}table of positions, {}norm in front "
       "of its blocks, {}LayerScale{}, which is not a known tower; {}",
       source, word(signs.class_token), word(signs.registers), word(signs.positions),
       word(signs.norm_before), word(signs.layer_scale),
       blocks ? "" : " and no blocks of a transformer", kExpected);
}

int64_t extent_of(const std::vector<TensorView>& tensors, const char* name, size_t dimension) {
  const TensorView* tensor = tensor_called(tensors, name);
  return tensor == nullptr || tensor->shape.size() <= dimension ? 0 : tensor->shape[dimension];
}

int64_t blocks_in(const std::vector<TensorView>& tensors) {
  int64_t count = 0;
  while (tensor_called(tensors, fmt::format("blocks.{}.norm1.weight", count)) != nullptr) ++count;
  return count;
}

// timm's giant has gated MLPs with the names of plain ones: fc1 has twice as many outputs as fc2
// has inputs.
void refuse_packed_gates(const std::vector<TensorView>& tensors, const std::string& source) {
  const int64_t made = extent_of(tensors, "blocks.0.mlp.fc1.weight", 0);
  const int64_t taken = extent_of(tensors, "blocks.0.mlp.fc2.weight", 1);
  if (made == 0 || made != 2 * taken) return;
  fail(ExitCode::kCheckpoint,
       "{} holds a ViT with {} (mlp.fc1 has {} outputs, mlp.fc2 has {} inputs), which no teacher "
       "here "
       "has; {}",
       source, kTowerForeign[0].sentence, made, taken, kExpected);
}

TeacherOptions sizes_of(const std::vector<TensorView>& tensors, const std::string& source) {
  constexpr const char* kPatches = "patch_embed.proj.weight";
  const TensorView* patches = tensor_called(tensors, kPatches);
  if (patches == nullptr || patches->shape.size() != 4 || patches->shape[0] < 1 ||
      patches->shape[2] < 1) {
    fail(ExitCode::kCheckpoint,
         "{}: its patches are embedded by a tensor of {} dimensions, expected a convolution [D, "
         "channels, side, side]{}; {}",
         source, patches == nullptr ? 0 : patches->shape.size(),
         patches != nullptr && patches->shape.size() == 2
             ? " (a matrix is SigLIP 2's with variable resolution, NaFlex)"
             : "",
         kExpected);
  }
  refuse_packed_gates(tensors, source);
  TeacherOptions options = targets::of_kind(tower_kind(tensors, source));
  options.dim = patches->shape[0];
  options.channels = patches->shape[1];
  options.stride = patches->shape[2];
  options.depth = blocks_in(tensors);
  options.heads = 0;
  // Slightly above the quotient, so that mlp_ratio * dim, truncated, is the same integer.
  const auto hidden = static_cast<double>(extent_of(tensors, "blocks.0.mlp.fc1.weight", 0));
  options.mlp_ratio = (hidden + 0.5) / static_cast<double>(options.dim);
  options.registers = extent_of(tensors, "reg_token", 1);
  options.projected_dim = options.kind == TeacherKind::kClip ? extent_of(tensors, "proj", 1) : 0;
  const int64_t class_tokens = tensor_called(tensors, "cls_token") == nullptr ? 0 : 1;
  const int64_t cells = std::max<int64_t>(extent_of(tensors, "pos_embed", 1) - class_tokens, 0);
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(cells)));
  options.rows = options.cols = side * options.stride;
  return options;
}

// --- facts in the files beside the weights ---

std::string misfit_of_tower(const TowerFacts& facts, const TeacherOptions& options) {
  const auto differs = [](const std::optional<int64_t>& said, int64_t is) {
    return said && *said != is;
  };
  if (differs(facts.dim, options.dim) || differs(facts.depth, options.depth) ||
      differs(facts.stride, options.stride)) {
    return fmt::format(
        "{} is of {} channels, {} blocks and patches of {} pixels, the weights of "
        "{}, {} and {}",
        facts.source, facts.dim.value_or(options.dim), facts.depth.value_or(options.depth),
        facts.stride.value_or(options.stride), options.dim, options.depth, options.stride);
  }
  if (facts.heads && options.dim % *facts.heads != 0) {
    return fmt::format("{} says {} heads, which do not divide the {} channels of the weights",
                       facts.source, *facts.heads, options.dim);
  }
  return "";
}

void take_tower_facts(const TowerFacts& facts, const std::string& source, TeacherFile& teacher) {
  TeacherOptions& options = teacher.options;
  options.gelu = facts.gelu.value_or(options.gelu);
  options.norm_epsilon = facts.norm_epsilon.value_or(options.norm_epsilon);
  options.heads = facts.heads.value_or(0);
  options.mean = facts.mean.value_or(options.mean);
  options.stddev = facts.stddev.value_or(options.stddev);
  const char* name = targets::name_of(options.kind);
  if (!facts.gelu && options.kind == TeacherKind::kClip) {
    teacher.remarks.push_back(fmt::format(
        "{}: no file beside it names its activation: using QuickGELU, as in OpenAI's CLIP; "
        "LAION's have GELU, which their open_clip_config.json or config.json says",
        source));
  }
  if (!facts.mean || !facts.stddev) {
    teacher.remarks.push_back(
        fmt::format("{}: no file beside it says how to normalise pixels: using mean [{:.4g}] and "
                    "std [{:.4g}], upstream's values for {}",
                    source, fmt::join(options.mean, ", "), fmt::join(options.stddev, ", "), name));
  }
}

void add_tower_facts(const fs::path& path, const fs::path& weights, TeacherFile& teacher) {
  const TowerFacts facts = tower_facts(weights.parent_path(), teacher.options.kind);
  const std::string fault = misfit_of_tower(facts, teacher.options);
  if (fault.empty()) return take_tower_facts(facts, path.string(), teacher);
  if (weights != path) {  // the user named a folder, whose files must belong together
    fail(ExitCode::kCheckpoint, "{}: {}: they do not belong together", path.string(), fault);
  }
  teacher.remarks.push_back(
      fmt::format("{}: {}, so the facts in it are not used", path.string(), fault));
  take_tower_facts({}, path.string(), teacher);
}

}  // namespace

TeacherFile read_teacher(const fs::path& path) {
  TeacherFile teacher;
  const fs::path weights = tower_weights_in(path, teacher.remarks);
  const std::string source = path.string();
  read_tower_tensors(weights, teacher);
  std::vector<TensorView>& tensors = teacher.model.tensors;
  for (TensorView& tensor : tensors) tensor.name = without_inner_wrappers(std::move(tensor.name));
  const std::optional<TowerCandidate> best = best_candidate(tensors, teacher.remarks, source);
  if (!best) refuse_tensors(tensors, source);
  const size_t beside = tensors.size() - best->tensors.size();
  TowerTensors tower = tower_tensors(best->tensors, source);
  refuse_foreign(tower, source);
  if (what_else(tensors).starts_with("a CLIP") && best->understood < 8) {
    refuse_tensors(tensors, source);  // the "tower" was found by the conv1 of a ResNet
  }
  teacher.options = sizes_of(tower.tensors, source);
  if (beside > 0) {
    teacher.remarks.push_back(
        fmt::format("{}: using the image tower of {} ({}*); {} other tensors are left out", source,
                    targets::name_of(teacher.options.kind), best->prefix, beside));
  }
  if (teacher.options.kind != TeacherKind::kClip) {
    std::erase_if(tower.tensors, [](const TensorView& one) { return one.name == "proj"; });
  }
  tensors = std::move(tower.tensors);
  for (formats::Buffer& owner : tower.owners) teacher.owners.push_back(std::move(owner));
  add_tower_facts(path, weights, teacher);
  return teacher;
}

std::string describe_teacher(const std::vector<TensorView>& tensors) try {
  std::vector<std::string> remarks;
  const std::optional<TowerCandidate> best = best_candidate(tensors, remarks, "");
  if (!best) return "";
  const TowerTensors tower = tower_tensors(best->tensors, "");
  refuse_foreign(tower, "");
  const TeacherOptions options = sizes_of(tower.tensors, "");
  return fmt::format("{}, which --teacher {}=FILE takes and --checkpoint does not",
                     described(options), target_of(options.kind));
} catch (const Error&) {
  return "";  // not a teacher either
}

}  // namespace fcm::interop
