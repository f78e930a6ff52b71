#include "fcm/interop/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::interop {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int64_t kMostNumber = 1 << 20;

const json& member(const json& object, const char* key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::optional<int64_t> whole(const json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number <= 0 || number > kMostNumber) return std::nullopt;
  return number;
}

std::optional<double> finite(const json& value) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

std::string text_in(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

// Rows and columns: 224, [224, 224] or {"height": 224, "width": 224}.
std::optional<std::array<int64_t, 2>> extent(const json& value) {
  if (const auto side = whole(value)) return std::array{*side, *side};
  const bool pair = value.is_array() && value.size() == 2;
  const auto rows = whole(pair ? value[0] : member(value, "height"));
  const auto cols = whole(pair ? value[1] : member(value, "width"));
  if (!rows || !cols) return std::nullopt;
  return std::array{*rows, *cols};
}

// Numbers for each channel, or one for all of three.
std::optional<std::vector<double>> by_channel(const json& value) {
  if (const auto one = finite(value)) return std::vector<double>(3, *one);
  if (!value.is_array() || value.empty() || value.size() > 3) return std::nullopt;
  std::vector<double> numbers;
  for (const json& item : value) {
    const auto number = finite(item);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

class Facts {
 public:
  explicit Facts(std::string source) { facts_["source"] = std::move(source); }

  template <typename T>
  void take(const char* key, const T& value) {
    facts_["keys"][key] = value;
  }
  void take_heads(const char* key, const json& value) {
    if (const auto heads = whole(value)) take(key, *heads);
  }
  void take_epsilon(const json& value) {
    const auto epsilon = finite(value);
    if (epsilon && *epsilon >= 1e-15 && *epsilon <= 0.1) take("encoder.norm_epsilon", *epsilon);
  }
  // Of pixels times `factor`, which transformers can leave out.
  void take_normalisation(const json& mean, const json& deviation, double factor = 1.0 / 255) {
    auto means = by_channel(mean), deviations = by_channel(deviation);
    if (!means || !deviations) return;
    const bool positive =
        std::all_of(deviations->begin(), deviations->end(), [](double one) { return one > 0; });
    if (means->size() != deviations->size() || !positive) return;
    const double scale = factor * 255;
    if (std::abs(scale - 1) > 1e-6) {
      for (double& one : *means) one /= scale;
      for (double& one : *deviations) one /= scale;
    }
    take("data.mean", *means);
    take("data.deviation", *deviations);
  }
  void take_interpolation(const std::string& name) {
    if (name == "bicubic" || name == "bilinear") take("data.interpolation", name);
  }
  void take_size(const char* name, const json& value) {
    if (const auto size = whole(value)) facts_["sizes"][name] = *size;
  }
  void take_pool(const json& value) {
    if (value.is_string()) facts_["pool"] = value;
  }
  void take_crop(const json& value) {
    const auto share = finite(value);
    if (share && *share > 0 && *share <= 1) facts_["eval_crop"] = *share;
  }
  template <typename... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    facts_["refused"].push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void check_activation(const char* key, const std::string& name) {
    constexpr std::array kExact = {"", "gelu", "gelu_python", "GELU"};
    if (std::find(kExact.begin(), kExact.end(), name) != kExact.end()) return;
    refuse(
        "{} says {} = {}, but this program's networks have the exact GELU alone: features would "
        "not be those of the model",
        facts_["source"].get<std::string>(), key, name);
  }
  // What tensors would show too, but not by the name that users know.
  void check_absent(const json& arguments, const char* key, const char* what) {
    const json& value = member(arguments, key);
    const bool absent = value.is_null() || value == false || value == 0;
    if (!absent) {
      refuse("{} says {} = {}: {}, which this program's networks do not have",
             facts_["source"].get<std::string>(), key, value.dump(), what);
    }
  }

  json take_all() { return std::move(facts_); }

 private:
  json facts_;
};

// --- timm ---

// Of model_args; `architecture` gives what is not among them.
void take_timm_arguments(const json& arguments, const std::string& architecture, Facts& facts) {
  facts.take_heads("encoder.heads", member(arguments, "num_heads"));
  facts.take_size("dim", member(arguments, "embed_dim"));
  facts.take_size("depth", member(arguments, "depth"));
  facts.take_size("patch", member(arguments, "patch_size"));
  if (const auto size = extent(member(arguments, "img_size"))) {
    facts.take("data.image_size", *size);
  }
  const std::string activation = text_in(member(arguments, "act_layer"));
  facts.check_activation("act_layer", activation);
  if (activation.empty() && architecture.find("quickgelu") != std::string::npos) {
    facts.check_activation("architecture", architecture);
  }
  const std::string norm = text_in(member(arguments, "norm_layer"));
  constexpr std::array kNorms = {"", "layernorm", "LayerNorm", "layernormfp32"};
  if (std::find(kNorms.begin(), kNorms.end(), norm) == kNorms.end()) {
    facts.refuse(
        "config.json says norm_layer = {}, but this program's networks have LayerNorm "
        "alone",
        norm);
  }
  const bool clip = norm.empty() && architecture.find("_clip_") != std::string::npos;
  facts.take("encoder.norm_epsilon", clip ? 1e-5 : 1e-6);  // timm's
  for (const char* key : {"mlp_layer", "block_fn", "attn_layer", "embed_layer"}) {
    facts.check_absent(arguments, key, "a layer of another kind");
  }
  facts.check_absent(arguments, "pre_norm", "a norm in front of the blocks");
  facts.check_absent(arguments, "qk_norm", "norms of queries and keys");
  facts.check_absent(arguments, "init_values", "layer scale");
  facts.check_absent(arguments, "reg_tokens", "register tokens");
}

json timm_facts(const json& config) {
  Facts facts("config.json");
  const json& nested = member(config, "pretrained_cfg");
  const json& pictures = nested.is_object() ? nested : config;  // as older versions wrote it
  std::string architecture = text_in(member(config, "architecture"));
  if (architecture.empty()) architecture = text_in(member(pictures, "architecture"));
  if (const json& size = member(pictures, "input_size"); size.is_array() && size.size() == 3) {
    if (const auto side = extent(json{size[1], size[2]})) facts.take("data.image_size", *side);
  }
  take_timm_arguments(member(config, "model_args"), architecture, facts);
  facts.take_normalisation(member(pictures, "mean"), member(pictures, "std"));
  facts.take_interpolation(text_in(member(pictures, "interpolation")));
  facts.take_crop(member(pictures, "crop_pct"));
  const json& pool = member(member(config, "model_args"), "global_pool");
  facts.take_pool(pool.is_string() ? pool : member(config, "global_pool"));
  return facts.take_all();
}

// --- Hugging Face ---

void take_preprocessor(const json& preprocessor, Facts& facts) {
  if (!preprocessor.is_object()) return;
  const json& rescaled = member(preprocessor, "do_rescale");
  const double factor =
      rescaled == false ? 1.0 : finite(member(preprocessor, "rescale_factor")).value_or(1.0 / 255);
  if (member(preprocessor, "do_normalize") == false) {
    facts.take_normalisation(json(0.0), json(1.0), factor);
  } else {
    facts.take_normalisation(member(preprocessor, "image_mean"), member(preprocessor, "image_std"),
                             factor);
  }
  const json& filter = member(preprocessor, "resample");  // Pillow's numbers
  if (filter == 2) facts.take_interpolation("bilinear");
  if (filter == 3) facts.take_interpolation("bicubic");
}

json transformers_facts(const json& config, const json& preprocessor) {
  Facts facts("config.json");
  facts.take_heads("encoder.heads", member(config, "num_attention_heads"));
  facts.take_heads("decoder.heads", member(config, "decoder_num_attention_heads"));
  facts.take_size("dim", member(config, "hidden_size"));
  facts.take_size("depth", member(config, "num_hidden_layers"));
  if (const auto patch = extent(member(config, "patch_size"))) {
    facts.take_size("patch", json((*patch)[0]));
  }
  if (const auto size = extent(member(config, "image_size"))) facts.take("data.image_size", *size);
  facts.take_epsilon(member(config, "layer_norm_eps"));
  facts.check_activation("hidden_act", text_in(member(config, "hidden_act")));
  if (member(config, "qkv_bias") == false) {
    facts.refuse(
        "config.json says qkv_bias = false, but attention has a bias in this program's "
        "networks");
  }
  const json& norm_pix = member(config, "norm_pix_loss");
  if (norm_pix.is_boolean()) facts.take("targets.norm_pix", norm_pix.get<bool>());
  take_preprocessor(preprocessor, facts);
  return facts.take_all();
}

// What conversions of this program wrote without a recipe.
json own_facts(const json& config) {
  Facts facts("config.json");
  facts.take_heads("encoder.heads", member(member(config, "encoder"), "heads"));
  facts.take_heads("decoder.heads", member(member(config, "decoder"), "heads"));
  facts.take_epsilon(member(member(config, "encoder"), "norm_epsilon"));
  facts.take_normalisation(member(config, "image_mean"), member(config, "image_std"));
  const json& norm_pix = member(config, "norm_pix_loss");
  if (norm_pix.is_boolean()) facts.take("targets.norm_pix", norm_pix.get<bool>());
  return facts.take_all();
}

// null: there is no such file, or, unless `strict`, no JSON object in it.
json read_object(const fs::path& file, bool strict) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  json content = json::parse(read_file(file, ExitCode::kCheckpoint), nullptr, false);
  if (content.is_object()) return content;
  if (strict) fail(ExitCode::kCheckpoint, "{} is no JSON object", file.string());
  return {};
}

}  // namespace

json facts_of(const json& config, const json& preprocessor) {
  if (member(config, "model_type") == "fastconvmae") return own_facts(config);
  const bool timm =
      config.is_object() && (config.contains("architecture") || config.contains("pretrained_cfg") ||
                             config.contains("model_args"));
  if (timm) return timm_facts(config);
  const bool theirs =
      config.is_object() && (config.contains("model_type") || config.contains("hidden_size"));
  if (theirs || preprocessor.is_object()) return transformers_facts(config, preprocessor);
  return json::object();
}

json facts_beside(const fs::path& folder, bool strict) {
  return facts_of(read_object(folder / "config.json", strict),
                  read_object(folder / "preprocessor_config.json", strict));
}

json facts_of_metadata(const std::map<std::string, std::string>& metadata) {
  json config = json::object();
  for (const auto& [key, value] : metadata) {
    if (key == "recipe" || key == "format") continue;
    json content = json::parse(value, nullptr, false);
    if (key == kFactsKey && content.is_object()) return content;
    if (key == "config" && content.is_object()) return facts_of(content, {});
    config[key] = content.is_discarded() ? json(value) : std::move(content);
  }
  json facts = facts_of(config, {});
  if (facts.contains("source")) facts["source"] = "the file's metadata";
  return facts;
}

json facts_of_arguments(const json& args) {
  if (!args.is_object()) return json::object();
  Facts facts("args");
  facts.take_normalisation(member(args, "mean"), member(args, "std"));
  const json& model = member(args, "model_kwargs");
  facts.take_heads("encoder.heads", member(model, "num_heads"));
  facts.check_activation("act_layer", text_in(member(model, "act_layer")));
  for (const char* key : {"model", "arch"}) {
    const std::string name = text_in(member(args, key));
    if (name.find("quickgelu") != std::string::npos) facts.check_activation(key, name);
  }
  json all = facts.take_all();
  return all.size() > 1 ? all : json::object();
}

json facts_in(const checkpoint::Checkpoint& checkpoint) {
  const json& stored = member(checkpoint.state, kFactsKey);
  if (!stored.is_object()) return json::object();
  Facts facts(text_in(member(stored, "source")));
  const json& keys = member(stored, "keys");
  for (const char* key : {"encoder.heads", "decoder.heads"})
    facts.take_heads(key, member(keys, key));
  facts.take_epsilon(member(keys, "encoder.norm_epsilon"));
  facts.take_normalisation(member(keys, "data.mean"), member(keys, "data.deviation"));
  facts.take_interpolation(text_in(member(keys, "data.interpolation")));
  if (const auto size = extent(member(keys, "data.image_size"))) {
    facts.take("data.image_size", *size);
  }
  const json& norm_pix = member(keys, "targets.norm_pix");
  if (norm_pix.is_boolean()) facts.take("targets.norm_pix", norm_pix.get<bool>());
  facts.take_crop(member(stored, "eval_crop"));
  facts.take_pool(member(stored, "pool"));
  const json& refused = member(stored, "refused");
  for (size_t i = 0; refused.is_array() && i < refused.size(); ++i) {
    if (refused[i].is_string()) facts.refuse("{}", refused[i].get<std::string>());
  }
  return facts.take_all();
}

std::string disagreement(const json& facts, const Architecture& architecture) {
  const json& sizes = member(facts, "sizes");
  const encoder::EncoderOptions& encoder = architecture.encoder;
  const auto compare = [&](const char* name, int64_t found) -> std::string {
    const auto said = whole(member(sizes, name));
    if (!said || *said == found) return {};
    return fmt::format("{} says {} {}, the weights have {}", text_in(member(facts, "source")), name,
                       *said, found);
  };
  for (const auto& [name, found] :
       {std::pair{"dim", encoder.dims.back()}, std::pair{"depth", encoder.depths.back()},
        std::pair{"patch", encoder.patch_side()}}) {
    if (std::string one = compare(name, found); !one.empty()) return one;
  }
  return {};
}

std::vector<std::string> as_overrides(const json& facts, const Architecture& architecture) {
  std::vector<std::string> overrides;
  const json& keys = member(facts, "keys");
  if (!keys.is_object()) return overrides;
  for (const auto& [key, value] : keys.items()) {
    if (key == "data.image_size" && architecture.patches > 0) {  // the table knows better
      const auto size = extent(value);
      const int64_t side = architecture.encoder.patch_side();
      const bool fits = size && (*size)[0] / side * ((*size)[1] / side) == architecture.patches;
      if (!fits) continue;
    }
    if ((key == "data.mean" || key == "data.deviation") &&
        static_cast<int64_t>(value.size()) != architecture.channels) {
      continue;
    }
    if (key == "decoder.heads" && !architecture.decoder) continue;
    overrides.push_back(
        fmt::format("{}={}", key, value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return overrides;
}

void refuse_unsupported(const checkpoint::Checkpoint& checkpoint) {
  if (checkpoint.state.contains("recipe")) return;
  const json facts = facts_in(checkpoint);
  if (const json& refused = member(facts, "refused"); !refused.is_null()) {
    fail(ExitCode::kCheckpoint, "{}: {}", checkpoint.path.string(), refused[0].get<std::string>());
  }
  const auto architecture = recognise(checkpoint.model.tensors);
  if (architecture && !architecture->foreign.empty()) {
    fail(ExitCode::kCheckpoint, "{}: {}", checkpoint.path.string(), architecture->foreign);
  }
}

}  // namespace fcm::interop
