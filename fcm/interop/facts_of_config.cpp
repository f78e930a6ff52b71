// Extracts facts from the configuration files of timm, Hugging Face and this program.
#include <algorithm>
#include <array>

#include "fcm/interop/facts.h"
#include "fcm/interop/facts_collector.h"
#include "fcm/interop/json_file.h"

namespace fcm::interop {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kConfig = "config.json";
constexpr const char* kPreprocessor = "preprocessor_config.json";
constexpr const char* kProcessor = "processor_config.json";
constexpr const char* kMetadata = "the file's metadata";

// A nested part of a configuration, and the prefix of its keys in messages.
struct Part {
  const json* object;
  std::string inside;
};

template <size_t kCount>
Part first_part(const json& config, const std::array<const char*, kCount>& names,
                const std::array<const char*, 2>& signs) {
  for (const char* name : names) {
    const json& part = member(config, name);
    const bool fits = std::any_of(signs.begin(), signs.end(),
                                  [&](const char* sign) { return !member(part, sign).is_null(); });
    if (fits) return {&part, std::string(name) + "."};
  }
  return {&config, ""};
}

// The image part of a model of several parts; otherwise the whole configuration.
Part vision_part(const json& config) {
  constexpr std::array<const char*, 2> kSigns = {"hidden_size", "num_attention_heads"};
  const Part named = first_part(config, std::array{"vision_config", "vision_config_dict"}, kSigns);
  if (named.object != &config || config.contains("hidden_size")) return named;
  return first_part(config,
                    std::array{"encoder", "backbone_config", "image_config", "vision_encoder",
                               "image_encoder", "vision", "backbone", "model"},
                    kSigns);
}

constexpr std::array<const char*, 2> kOfImages = {"image_mean", "do_normalize"};

Part image_processor(const json& preprocessor) {
  return first_part(preprocessor,
                    std::array{"image_processor", "vision_processor", "feature_extractor"},
                    kOfImages);
}

// Whether a preprocessor_config.json is about images: it often describes a tokenizer alone.
bool is_image_processor(const json& preprocessor) {
  const json& part = *image_processor(preprocessor).object;
  return std::any_of(kOfImages.begin(), kOfImages.end(),
                     [&](const char* sign) { return !member(part, sign).is_null(); });
}

// --- timm ---

// Takes facts from model_args. `architecture`, timm's model name, decides what they leave open.
void take_timm_arguments(const json& arguments, const std::string& architecture,
                         FactsCollector& facts) {
  facts.take_heads("encoder.heads", arguments, "num_heads");
  const bool swin = architecture.starts_with("swin_");  // timm gives sizes of its first stage
  if (!swin) {
    facts.take_size("dim", member(arguments, "embed_dim"));
    facts.take_size("depth", member(arguments, "depth"));
    facts.take_size("patch", member(arguments, "patch_size"));
  }
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
    facts.refuse("{} says norm_layer = {}, but this program's networks only have LayerNorm",
                 facts.file(), norm);
  }
  const bool clip = norm.empty() && architecture.find("_clip_") != std::string::npos;
  facts.take("encoder.norm_epsilon", clip || swin ? 1e-5 : 1e-6);  // timm's defaults
  for (const char* key : {"mlp_layer", "block_fn", "attn_layer", "embed_layer"}) {
    facts.check_absent(arguments, key, "a layer of another kind");
  }
  facts.check_absent(arguments, "pre_norm", "a norm in front of the blocks");
  facts.check_absent(arguments, "qk_norm", "norms of queries and keys");
  facts.check_absent(arguments, "init_values", "layer scale");
  facts.check_absent(arguments, "reg_tokens", "register tokens");
}

constexpr const char* kWholeSide =
    "eval crops that share (classifier.eval_crop), features, knn and linprobe the whole shorter "
    "side (no key changes it)";

void take_timm_images(const json& images, FactsCollector& facts) {
  if (const json& size = member(images, "input_size"); size.is_array() && size.size() == 3) {
    if (const auto side = extent(json{size[1], size[2]})) facts.take("data.image_size", *side);
  }
  facts.take_normalisation(images, "mean", "std");
  facts.take_interpolation(images, "interpolation");
  const json& crop = member(images, "crop_pct");
  facts.take_crop(crop);
  if (const auto share = finite(crop); share && *share < 1) {
    facts.note("", fmt::format("{}: {}", facts.says("crop_pct", crop), kWholeSide));
  }
  const std::string mode = text_in(member(images, "crop_mode"));
  if (!mode.empty() && mode != "center") {
    facts.note("", fmt::format("{}, where this program takes the centre crop (no key changes it)",
                               facts.says("crop_mode", mode)));
  }
  facts.check_channel_order(images);
}

json timm_facts(const json& config, const char* file) {
  FactsCollector facts(file);
  const json& nested = member(config, "pretrained_cfg");
  const json& images = nested.is_object() ? nested : config;  // older files have no pretrained_cfg
  std::string architecture = text_in(member(config, "architecture"));
  if (architecture.empty()) architecture = text_in(member(images, "architecture"));
  facts.continue_with(file, nested.is_object() ? "pretrained_cfg." : "");
  take_timm_images(images, facts);
  facts.continue_with(file, "model_args.");
  take_timm_arguments(member(config, "model_args"), architecture, facts);
  const json& pool = member(member(config, "model_args"), "global_pool");
  facts.take_pool(pool.is_string() ? pool : member(config, "global_pool"));
  return facts.take_all();
}

// --- Hugging Face ---

Rescaling rescaling_of(const json& processor, FactsCollector& facts) {
  Rescaling rescaling;
  const json& said = member(processor, "rescale_factor");
  const auto factor = finite(said);
  if (!said.is_null() && (!factor || *factor <= 0)) {
    facts.mark_unusable("data.mean",
                        facts.says("rescale_factor", said) + ", expected a number above 0");
  } else if (factor) {
    rescaling.factor = *factor;
  }
  if (truth(member(processor, "do_rescale")) == false) rescaling.factor = 1;
  // Processors with one of these options subtract 1 after the multiplication.
  for (const char* name : {"offset", "rescale_offset", "do_offset"}) {
    if (truth(member(processor, name)) == true) rescaling.offset = 1;
  }
  return rescaling;
}

// Whether images are resized by their shorter side and cropped, or squeezed to a size.
void take_resizing(const json& processor, FactsCollector& facts) {
  const json& size = member(processor, "size");
  const json& crop = member(processor, "crop_size");
  const bool crops = truth(member(processor, "do_center_crop")) == true;
  const bool resizes = truth(member(processor, "do_resize")) != false;
  auto shortest = whole(member(size, "shortest_edge"));
  if (!shortest && crops) shortest = whole(size);
  const auto cut = extent(crop);
  if (crops && resizes && shortest && cut && (*cut)[0] < *shortest) {
    const double share = static_cast<double>((*cut)[0]) / static_cast<double>(*shortest);
    facts.take_crop(share);
    facts.note("", fmt::format("{} and crop_size = {}: {}", facts.says("size", size), crop.dump(),
                               kWholeSide));
  }
  if (resizes && !crops && extent(size)) {
    facts.note("", fmt::format("{} and no crop, so images were squeezed to it, where this "
                               "program takes the centre crop (no key changes it)",
                               facts.says("size", size)));
  }
  if (!resizes) {
    facts.note("data.image_size",
               fmt::format("{}, where this program resizes images to data.image_size (--set "
                           "data.image_size=[ROWS,COLUMNS])",
                           facts.says("do_resize", false)));
  }
}

void take_preprocessor(const json& preprocessor, const char* file, FactsCollector& facts) {
  if (!preprocessor.is_object()) return;
  const Part part = image_processor(preprocessor);
  const json& processor = *part.object;
  facts.continue_with(file, part.inside);
  const Rescaling rescaling = rescaling_of(processor, facts);
  if (truth(member(processor, "do_normalize")) == false) {
    facts.take_normalisation({{"image_mean", 0}, {"image_std", 1}}, "image_mean", "image_std",
                             rescaling);
  } else {
    facts.take_normalisation(processor, "image_mean", "image_std", rescaling);
  }
  facts.take_interpolation(processor, "resample");
  take_resizing(processor, facts);
  facts.check_channel_order(processor);
}

json transformers_facts(const json& config, const char* config_file, const json& preprocessor,
                        const char* file) {
  const Part part = vision_part(config);
  const json& vision = *part.object;
  FactsCollector facts(config.is_object() ? config_file : file, part.inside);
  facts.take_heads("encoder.heads", vision, "num_attention_heads");
  facts.take_heads("decoder.heads", vision, "decoder_num_attention_heads");
  // In a Swin's config num_hidden_layers counts stages, and patch_size is the side of a cell.
  if (text_in(member(vision, "model_type")) != "swin") {
    facts.take_size("dim", member(vision, "hidden_size"));
    facts.take_size("depth", member(vision, "num_hidden_layers"));
    if (const auto patch = extent(member(vision, "patch_size"))) {
      facts.take_size("patch", json((*patch)[0]));
    }
  }
  if (const auto size = extent(member(vision, "image_size"))) facts.take("data.image_size", *size);
  facts.take_epsilon(vision, "layer_norm_eps");
  facts.check_activation("hidden_act", text_in(member(vision, "hidden_act")));
  if (truth(member(vision, "qkv_bias")) == false) {
    facts.refuse("{}, but attention has a bias in this program's networks",
                 facts.says("qkv_bias", false));
  }
  if (const auto norm_pix = truth(member(vision, "norm_pix_loss"))) {
    facts.take("targets.norm_pix", *norm_pix);
  }
  take_preprocessor(preprocessor, file, facts);
  return facts.take_all();
}

// Facts in a config.json that this program wrote when it converted weights without a recipe.
json own_facts(const json& config, const char* file) {
  FactsCollector facts(file);
  facts.take_normalisation(config, "image_mean", "image_std");
  if (const auto norm_pix = truth(member(config, "norm_pix_loss"))) {
    facts.take("targets.norm_pix", *norm_pix);
  }
  facts.continue_with(file, "decoder.");
  facts.take_heads("decoder.heads", member(config, "decoder"), "heads");
  facts.continue_with(file, "encoder.");
  facts.take_heads("encoder.heads", member(config, "encoder"), "heads");
  facts.take_epsilon(member(config, "encoder"), "norm_epsilon");
  return facts.take_all();
}

json facts_of_files(const json& config, const char* config_file, const json& preprocessor = {},
                    const char* file = kPreprocessor) {
  if (member(config, "model_type") == "fastconvmae") return own_facts(config, config_file);
  const bool timm =
      config.is_object() && (config.contains("architecture") || config.contains("pretrained_cfg") ||
                             config.contains("model_args"));
  if (timm) return timm_facts(config, config_file);
  const bool theirs = config.is_object() && (config.contains("model_type") ||
                                             vision_part(config).object->contains("hidden_size"));
  if (theirs || preprocessor.is_object())
    return transformers_facts(config, config_file, preprocessor, file);
  return json::object();
}

}  // namespace

json facts_of(const json& config, const json& preprocessor) {
  return facts_of_files(config, kConfig, preprocessor);
}

FolderFacts facts_of_folder(const fs::path& folder) {
  JsonFile config = read_json_object(folder / kConfig);
  JsonFile preprocessor = read_json_object(folder / kPreprocessor);
  const char* file = kPreprocessor;
  if (preprocessor.fault.empty() && !is_image_processor(preprocessor.object)) {
    JsonFile processor = read_json_object(folder / kProcessor);
    if (!processor.fault.empty() || is_image_processor(processor.object)) {
      preprocessor = std::move(processor);
      file = kProcessor;
    }
  }
  FolderFacts beside;
  beside.facts = facts_of_files(config.object, kConfig, preprocessor.object, file);
  beside.fault = config.fault.empty() ? preprocessor.fault : config.fault;
  return beside;
}

json facts_of_metadata(const std::map<std::string, std::string>& metadata) {
  json config = json::object();
  for (const auto& [key, value] : metadata) {
    if (key == "recipe" || key == "format") continue;
    json content = json::parse(value, nullptr, false);
    if (key == kFactsKey && content.is_object()) return content;
    if (key == "config" && content.is_object()) return facts_of_files(content, kMetadata);
    config[key] = content.is_discarded() ? json(value) : std::move(content);
  }
  return facts_of_files(config, kMetadata);
}

json facts_of_arguments(const json& args) {
  if (!args.is_object()) return json::object();
  FactsCollector facts("args");
  facts.take_normalisation(args, "mean", "std");
  const json& model = member(args, "model_kwargs");
  for (const char* key : {"model", "arch"}) {
    const std::string name = text_in(member(args, key));
    if (name.find("quickgelu") != std::string::npos) facts.check_activation(key, name);
  }
  facts.take_interpolation(args, "interpolation");
  facts.continue_with("args", "model_kwargs.");
  facts.take_heads("encoder.heads", model, "num_heads");
  facts.check_activation("act_layer", text_in(member(model, "act_layer")));
  json all = facts.take_all();
  all.erase("unusable");  // in another program's args, a name such as std may mean something else
  return all.size() > 1 ? all : json::object();
}

}  // namespace fcm::interop
