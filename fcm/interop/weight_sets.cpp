#include "fcm/interop/weight_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/detector_names.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/interop/tensor_roles.h"

namespace fcm::interop {
namespace {

using formats::TensorView;

// Names by which an encoder, a segmenter or a detector is found. What stands before such a name is
// the prefix of the whole set.
constexpr std::string_view kTransformers = "embeddings.patch_embeddings.projection.weight";
constexpr std::array<std::string_view, 5> kAnchors = {"patch_embed.proj.weight",
                                                      "patch_embed1.proj.weight", kTransformers,
                                                      kSegmenterClasses, kDetectorClasses};

bool is_anchor(const TensorView& tensor, std::string_view anchor) {
  const size_t dimensions = anchor == kDetectorClasses ? 2 : 4;
  return tensor.shape.size() == dimensions && tensor.name.ends_with(anchor);
}

// Whether a word of the label, between dots and underscores, is `wanted`.
bool has_word(const std::string& label, std::string_view wanted) {
  for (size_t begin = 0; begin <= label.size();) {
    const size_t end = std::min(label.find_first_of("._", begin), label.size());
    if (std::string_view(label).substr(begin, end - begin) == wanted) return true;
    begin = end + 1;
  }
  return false;
}

bool is_average(const std::string& label) {
  constexpr std::array<std::string_view, 12> kWords = {"ema",    "averaged", "average", "avg",
                                                       "swa",    "momentum", "target",  "teacher",
                                                       "polyak", "shadow",   "key",     "k"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return has_word(label, word); });
}

// Whether the prefix consists only of wrappers that published_name removes.
bool is_plain(std::string_view prefix) {
  return published_name(std::string(prefix) + "pos_embed") == "pos_embed";
}

// Whether a prefix that does not end in a dot names a copy of the weights, as "ema_" in
// "ema_patch_embed.proj.weight", and is no part of the module's name.
bool is_copy(const std::string& prefix) {
  return prefix.ends_with('_') && (is_average(prefix) || has_word(prefix, "student"));
}

struct AnchorPrefix {
  std::string text;
  std::string_view anchor;
};

// The prefixes of all anchors, once each, wrappers included.
std::vector<AnchorPrefix> prefixes_with_wrappers(const std::vector<TensorView>& tensors) {
  std::vector<AnchorPrefix> prefixes;
  for (const TensorView& tensor : tensors) {
    for (const std::string_view anchor : kAnchors) {
      if (!is_anchor(tensor, anchor)) continue;
      std::string prefix = tensor.name.substr(0, tensor.name.size() - anchor.size());
      if (!prefix.empty() && prefix.back() != '.' && !is_copy(prefix)) continue;
      if (anchor == kTransformers && prefix.ends_with("vit.")) prefix.resize(prefix.size() - 4);
      const auto is_same = [&](const AnchorPrefix& one) { return one.text == prefix; };
      if (std::ranges::none_of(prefixes, is_same)) prefixes.push_back({prefix, anchor});
    }
  }
  return prefixes;
}

// Whether two sets differ only by their wrappers ("model." and "backbone."). Then the wrappers must
// stay part of the prefixes; otherwise they are dropped, because renaming removes them later.
bool differ_only_by_wrappers(const std::vector<AnchorPrefix>& prefixes) {
  for (const AnchorPrefix& one : prefixes) {
    for (const AnchorPrefix& other : prefixes) {
      const bool distinct = one.anchor == other.anchor && one.text != other.text;
      if (distinct && is_plain(one.text) && is_plain(other.text)) return true;
    }
  }
  return false;
}

std::vector<std::string> prefixes_of(const std::vector<TensorView>& tensors) {
  const std::vector<AnchorPrefix> found = prefixes_with_wrappers(tensors);
  const bool keep_wrappers = differ_only_by_wrappers(found);
  std::vector<std::string> prefixes;
  for (const AnchorPrefix& one : found) {
    const std::string text = is_plain(one.text) && !keep_wrappers ? "" : one.text;
    if (std::ranges::find(prefixes, text) == prefixes.end()) prefixes.push_back(text);
  }
  // The encoder of a segmenter or a detector is a part of it.
  constexpr std::array kInner = {kSegmenterEncoder, kDetectorEncoder, kDecomposedEncoder};
  const std::vector<std::string> all = prefixes;
  std::erase_if(prefixes, [&](const std::string& prefix) {
    return std::any_of(all.begin(), all.end(), [&](const std::string& outer) {
      return std::any_of(kInner.begin(), kInner.end(), [&](std::string_view inner) {
        return prefix == outer + std::string(inner);
      });
    });
  });
  return prefixes;
}

// --- copies with flat names ---

// Averages that are stored as buffers of the network cannot have dots in their names. For
// "backbone.norm.weight", mmcv's EMAHook writes "ema_backbone_norm_weight"; for "norm.weight",
// LitEma writes "model_ema.normweight".
struct FlatCopy {
  std::string front;           // "ema_", "model_ema."
  std::string_view separator;  // in place of the dots
  std::string skipped;         // prefix of the original's name that the copy's name does not have
};

std::string flattened(std::string_view name, std::string_view separator) {
  std::string flat;
  for (const char letter : name) {
    if (letter == '.') {
      flat += separator;
    } else {
      flat += letter;
    }
  }
  return flat;
}

// How the name `copy` was made from `original`, which ends with `anchor`; nullopt: it was not. The
// copy's name must contain the whole anchor.
std::optional<FlatCopy> flat_copy(const std::string& original, std::string_view anchor,
                                  const std::string& copy) {
  for (const std::string_view separator : {"_", ""}) {
    for (size_t begin = 0; begin + anchor.size() <= original.size();) {
      const std::string flat = flattened(std::string_view(original).substr(begin), separator);
      if (copy.size() > flat.size() && copy.ends_with(flat)) {
        std::string front = copy.substr(0, copy.size() - flat.size());
        const bool ends = front.back() == '_' || front.back() == '.';
        if (ends && is_average(front)) return FlatCopy{front, separator, original.substr(0, begin)};
      }
      begin = original.find('.', begin) + 1;
      if (begin == 0) break;
    }
  }
  return std::nullopt;
}

// The first copy with flat names in a dict; nullopt: there is none.
std::optional<FlatCopy> first_flat_copy(const std::vector<TensorView>& tensors) {
  constexpr size_t kMostOriginals = 16;
  std::vector<std::pair<const TensorView*, std::string_view>> originals;
  for (const TensorView& tensor : tensors) {
    const auto* const anchor = std::ranges::find_if(
        kAnchors, [&](std::string_view one) { return is_anchor(tensor, one); });
    if (anchor != kAnchors.end() && originals.size() < kMostOriginals) {
      originals.emplace_back(&tensor, *anchor);
    }
  }
  for (const auto& [original, anchor] : originals) {
    for (const TensorView& tensor : tensors) {
      if (&tensor == original || tensor.shape != original->shape) continue;
      if (auto copy = flat_copy(original->name, anchor, tensor.name)) return copy;
    }
  }
  return std::nullopt;
}

// Moves the tensors of `copy` out of `dict` and gives them the names of their originals.
NamedTensors take_flat_copy(NamedTensors& dict, const FlatCopy& copy) {
  std::map<std::string, const TensorView*> originals;
  for (const TensorView& tensor : dict.tensors) {
    if (!tensor.name.starts_with(copy.skipped)) continue;
    const std::string_view rest = std::string_view(tensor.name).substr(copy.skipped.size());
    originals.emplace(copy.front + flattened(rest, copy.separator), &tensor);
  }
  NamedTensors taken;
  taken.key = joined(dict.key, std::string_view(copy.front).substr(0, copy.front.size() - 1));
  if (copy.separator == "_" && copy.front.ends_with("ema_")) {
    taken.remark =
        "mmcv's EMAHook, which names copies like this, swaps weights and averages before it saves: "
        "then the averages are under the weights' own names";
  }
  std::vector<TensorView> rest;
  for (const TensorView& tensor : dict.tensors) {
    const auto original = originals.find(tensor.name);
    const bool is_copy_of_one = original != originals.end() && original->second != &tensor &&
                                original->second->shape == tensor.shape;
    (is_copy_of_one ? taken.tensors : rest).push_back(tensor);
    if (is_copy_of_one) {
      taken.tensors.back().name = original->second->name.substr(copy.skipped.size());
    }
  }
  dict.tensors = std::move(rest);
  return taken;
}

// Moves every copy with flat names to a new dict.
void split_flat_copies(std::vector<NamedTensors>& dicts) {
  constexpr size_t kMostCopies = 8;
  std::vector<NamedTensors> taken;
  for (NamedTensors& dict : dicts) {
    while (taken.size() < kMostCopies) {
      const std::optional<FlatCopy> copy = first_flat_copy(dict.tensors);
      if (!copy) break;
      taken.push_back(take_flat_copy(dict, *copy));
    }
  }
  std::ranges::move(taken, std::back_inserter(dicts));
}

// --- the best set ---

struct Candidate {
  std::string label, remark;
  std::vector<TensorView> tensors, beside;
  size_t bytes = 0;
};

size_t bytes_of_all(const std::vector<TensorView>& tensors) {
  size_t bytes = 0;
  for (const TensorView& tensor : tensors) bytes += tensor.bytes.size();
  return bytes;
}

// The set of tensors with `prefix`, one of `all` prefixes. The empty prefix gets all tensors that
// are in no other set.
Candidate candidate_of(const NamedTensors& dict, const std::string& prefix,
                       const std::vector<std::string>& all) {
  Candidate candidate;
  candidate.label = dict.key;
  candidate.remark = dict.remark;
  if (!prefix.empty()) {
    candidate.label = joined(dict.key, std::string_view(prefix).substr(0, prefix.size() - 1));
  }
  for (const TensorView& tensor : dict.tensors) {
    const auto of_other = [&](const std::string& other) {
      return !other.empty() && other != prefix && tensor.name.starts_with(other) &&
             other.size() > prefix.size();
    };
    const bool elsewhere = std::any_of(all.begin(), all.end(), of_other);
    if (elsewhere || !tensor.name.starts_with(prefix)) {
      const auto of_any = [&](const std::string& one) {
        return !one.empty() && tensor.name.starts_with(one);
      };
      if (std::none_of(all.begin(), all.end(), of_any)) candidate.beside.push_back(tensor);
      continue;
    }
    candidate.tensors.push_back(tensor);
    candidate.tensors.back().name.erase(0, prefix.size());
  }
  candidate.bytes = bytes_of_all(candidate.tensors);
  return candidate;
}

// Lower ranks are preferred.
int rank_of(const Candidate& candidate, bool has_student) {
  if (has_student) return has_word(candidate.label, "teacher") ? 0 : 1;
  return is_average(candidate.label) ? 1 : 0;
}

std::vector<Candidate> candidates_of(const std::vector<NamedTensors>& dicts) {
  std::vector<Candidate> candidates;
  for (const NamedTensors& dict : dicts) {
    const std::vector<std::string> prefixes = prefixes_of(dict.tensors);
    for (const std::string& prefix : prefixes) {
      candidates.push_back(candidate_of(dict, prefix, prefixes));
    }
  }
  const bool has_student =
      std::any_of(candidates.begin(), candidates.end(),
                  [](const Candidate& one) { return has_word(one.label, "student"); }) &&
      std::any_of(candidates.begin(), candidates.end(),
                  [](const Candidate& one) { return has_word(one.label, "teacher"); });
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& left, const Candidate& right) {
                     const int a = rank_of(left, has_student), b = rank_of(right, has_student);
                     return a != b ? a < b : left.bytes > right.bytes;
                   });
  return candidates;
}

std::string labels_of(const std::vector<Candidate>& candidates) {
  std::vector<std::string> labels;
  for (const Candidate& one : candidates) labels.push_back(one.label.empty() ? "(all)" : one.label);
  return labels.empty() ? "none" : fmt::format("{}", fmt::join(labels, ", "));
}

// The largest dict, for files without an encoder, so that its names can be shown.
Weights largest(std::vector<NamedTensors> dicts) {
  Weights weights;
  const auto most = std::max_element(
      dicts.begin(), dicts.end(), [](const NamedTensors& left, const NamedTensors& right) {
        return bytes_of_all(left.tensors) < bytes_of_all(right.tensors);
      });
  if (most == dicts.end()) return weights;
  weights.label = most->key;
  weights.tensors = std::move(most->tensors);
  return weights;
}

std::string_view first_word(std::string_view name) { return name.substr(0, name.find('.')); }

// First words of the names of modules that follow an encoder or are only used to train it.
constexpr std::array<std::string_view, 34> kHeads = {"heads",
                                                     "head_dist",
                                                     "classifier",
                                                     "cls_classifier",
                                                     "fc",
                                                     "projector",
                                                     "projection",
                                                     "projection_head",
                                                     "proj_head",
                                                     "predictor",
                                                     "prediction_head",
                                                     "prototypes",
                                                     "prototype",
                                                     "queue",
                                                     "queue_ptr",
                                                     "center",
                                                     "loss",
                                                     "criterion",
                                                     "pooler",
                                                     "pre_logits",
                                                     "attn_pool",
                                                     "logit_scale",
                                                     "lm_head",
                                                     "dino_head",
                                                     "ibot_head",
                                                     "neck",
                                                     "online_classifier",
                                                     "distillation_classifier",
                                                     "aux_classifier",
                                                     "momentum_head",
                                                     "student_head",
                                                     "teacher_head",
                                                     "dino_loss",
                                                     "ibot_patch_loss"};

// A head of this program: a linear layer, or the two modules of a probe.
bool is_known_head(std::string_view name) {
  return name == "head.weight" || name == "head.bias" || name.starts_with("head.0.") ||
         name.starts_with("head.1.");
}

bool is_head(const std::string& name) {
  if (role_of(name) == TensorRole::kHead) return !is_known_head(name);
  if (role_of(name)) return false;
  const std::string_view word = first_word(name);
  return std::find(kHeads.begin(), kHeads.end(), word) != kHeads.end() ||
         word.starts_with("momentum_") || name == "embeddings.mask_token";
}

}  // namespace

Weights choose_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                       const std::string& source) {
  for (NamedTensors& dict : dicts) {
    for (TensorView& tensor : dict.tensors) tensor.name = without_inner_wrappers(tensor.name);
  }
  split_flat_copies(dicts);
  std::vector<Candidate> candidates = candidates_of(dicts);
  auto chosen = candidates.begin();
  if (!wanted.empty()) {
    chosen = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& one) {
      return one.label == wanted || one.label.ends_with("." + wanted);
    });
    if (chosen == candidates.end()) {
      fail(ExitCode::kCheckpoint, "{} has no weights called {}; there are: {}", source, wanted,
           labels_of(candidates));
    }
  }
  if (candidates.empty()) return largest(std::move(dicts));
  Weights weights;
  weights.found = true;
  weights.label = chosen->label;
  for (auto one = candidates.begin(); one != candidates.end(); ++one) {
    if (one != chosen) weights.others.push_back({one->label, one->tensors.size()});
    if (!one->remark.empty()) weights.remark = one->remark;
  }
  weights.tensors = std::move(chosen->tensors);
  weights.beside = std::move(chosen->beside);
  return weights;
}

std::vector<TensorView> take_out_heads(std::vector<TensorView>& tensors) {
  std::vector<TensorView> taken;
  std::erase_if(tensors, [&](const TensorView& tensor) {
    if (!is_head(tensor.name)) return false;
    taken.push_back(tensor);
    return true;
  });
  return taken;
}

std::string counted_by_first_word(const std::vector<TensorView>& tensors) {
  constexpr size_t kShown = 6;
  std::vector<std::pair<std::string, size_t>> words;
  for (const TensorView& tensor : tensors) {
    const std::string word(first_word(tensor.name));
    const auto known = std::find_if(words.begin(), words.end(),
                                    [&](const auto& one) { return one.first == word; });
    if (known == words.end()) {
      words.emplace_back(word, 1);
    } else {
      ++known->second;
    }
  }
  std::vector<std::string> texts;
  for (const auto& [word, count] : words) {
    if (texts.size() < kShown) texts.push_back(fmt::format("{} ({})", word, count));
  }
  if (words.size() > kShown) texts.push_back(fmt::format("{} more", words.size() - kShown));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace fcm::interop
