#include "fcm/interop/backbone.h"

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/new_folders.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/interop/transformers.h"

namespace fcm::interop {
namespace {

namespace fs = std::filesystem;
using formats::TensorView;
using formats::Value;
using nlohmann::json;

std::vector<TensorView> encoder_of(const checkpoint::Checkpoint& checkpoint) {
  std::vector<TensorView> tensors;
  for (const TensorView& tensor : checkpoint.model.tensors) {
    // The programs that load an exported encoder have no fusing layers.
    const bool of_pretraining =
        has_role(tensor.name, {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget});
    if (!of_pretraining) tensors.push_back(tensor);
  }
  sort_as_published(tensors);
  return tensors;
}

// Extra texts stored beside the tensors, by key.
using Texts = std::map<std::string, std::string>;

void write_encoder(const fs::path& out, const std::vector<formats::TensorView>& tensors,
                   const Texts& texts) {
  formats::Value::Dict model, root;
  model.ordered = true;
  for (size_t i = 0; i < tensors.size(); ++i) {
    model.items.push_back(
        {formats::Value{tensors[i].name}, formats::Value{formats::Value::Tensor{i, false}}});
  }
  root.items.push_back({formats::Value{std::string("model")}, formats::Value{std::move(model)}});
  for (const auto& [name, text] : texts) {
    root.items.push_back({formats::Value{name}, formats::Value{text}});
  }
  formats::write_pth(out, formats::Value{std::move(root)}, tensors);
}

void write_folder(const fs::path& out, const std::vector<formats::TensorView>& tensors,
                  const json& config, const Texts& texts) {
  std::map<std::string, std::string> metadata = texts;
  metadata["format"] = "pt";
  metadata["producer"] = "fastconvmae";
  NewFolders folders(out, ExitCode::kCheckpoint, "checkpoint");
  formats::write_safetensors(out / "model.safetensors", tensors, metadata);
  write_file_durably(out / "config.json", config.dump(2) + "\n", ExitCode::kCheckpoint,
                     "checkpoint");
  folders.keep();
}

// timm's name for these sizes; sizes without a name there are called vit_base, with model_args.
std::string timm_name(const encoder::EncoderOptions& sizes) {
  const bool tiny = sizes.dims.front() == 192 && sizes.depths.front() == 12 &&
                    sizes.heads == config::OneOrMore(3);
  if (tiny) return "vit_tiny_patch16_224";  // encoder::size_like has no such size
  const encoder::EncoderOptions* named = encoder::size_like("vit", sizes);
  if (named == nullptr) return "vit_base_patch16_224";
  return fmt::format("vit_{}_patch{}_224", named->size, named->strides.front());
}

std::string timm_swin_name(const encoder::EncoderOptions& sizes) {
  const encoder::EncoderOptions* named = encoder::size_like("swin", sizes);
  return fmt::format("swin_{}_patch4_window7_224", named == nullptr ? "base" : named->size);
}

json timm_arguments(const recipe::Recipe& recipe, const Architecture& architecture) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const bool swin = architecture.kind == "swin";
  json arguments = {{"img_size", recipe.data.image_size},
                    {"patch_size", swin ? encoder.strides.front() : encoder.patch_side()},
                    {"in_chans", recipe.data.channels},
                    {"embed_dim", encoder.dims.front()},
                    {"mlp_ratio", encoder.mlp_ratios.front()},
                    {"num_classes", architecture.classes}};
  if (swin) {
    arguments["depths"] = encoder.depths;
    arguments["num_heads"] = encoder.heads.values;
    arguments["window_size"] = encoder.window;
  } else {
    arguments["depth"] = encoder.depths.front();
    arguments["num_heads"] = encoder.heads.last();
  }
  return arguments;
}

// config.json for timm.create_model("local-dir:FOLDER"). model_args are always present, so sizes
// never depend on the architecture's name.
json timm_config(const recipe::Recipe& recipe, const Architecture& architecture) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const auto& image = recipe.data.image_size;
  const bool swin = architecture.kind == "swin";
  const std::string pool = architecture.fc_norm || swin ? "avg" : "token";
  json arguments = timm_arguments(recipe, architecture);
  arguments["global_pool"] = pool;
  return {{"architecture", swin ? timm_swin_name(encoder) : timm_name(encoder)},
          {"num_classes", architecture.classes},
          {"num_features", encoder.dims.back()},
          {"global_pool", pool},
          {"model_args", arguments},
          {"pretrained_cfg",
           {{"custom_load", false},
            {"input_size", {recipe.data.channels, image[0], image[1]}},
            {"fixed_input_size", true},
            {"interpolation", "bicubic"},
            {"crop_pct", 0.875},
            {"mean", json(recipe.data.mean)},
            {"std", recipe.data.stddev},
            {"num_classes", architecture.classes},
            {"first_conv", "patch_embed.proj"},
            {"classifier", swin ? "head.fc" : "head"}}}};
}

// transformers' SwinConfig.
json swin_config(const recipe::Recipe& recipe) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const auto& image = recipe.data.image_size;
  return {{"model_type", "swin"},
          {"architectures", json::array({"SwinModel"})},
          {"image_size", image[0] == image[1] ? json(image[0]) : json(image)},
          {"patch_size", encoder.strides.front()},
          {"num_channels", recipe.data.channels},
          {"embed_dim", encoder.dims.front()},
          {"depths", encoder.depths},
          {"num_heads", encoder.heads.values},
          {"window_size", encoder.window},
          {"mlp_ratio", encoder.mlp_ratios.front()},
          {"qkv_bias", true},
          {"hidden_dropout_prob", 0.0},
          {"attention_probs_dropout_prob", 0.0},
          {"drop_path_rate", 0.0},
          {"hidden_act", "gelu"},
          {"use_absolute_embeddings", false},
          {"layer_norm_eps", encoder.norm_epsilon},
          {"hidden_size", encoder.dims.back()},
          {"encoder_stride", encoder.patch_side()},
          {"torch_dtype", "float32"}};
}

json transformers_config(const recipe::Recipe& recipe, const Architecture& architecture) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const auto& image = recipe.data.image_size;
  if (architecture.kind == "swin") return swin_config(recipe);
  return {{"model_type", "vit"},
          {"architectures", json::array({"ViTModel"})},
          {"hidden_size", encoder.dims.front()},
          {"num_hidden_layers", encoder.depths.front()},
          {"num_attention_heads", encoder.heads.last()},
          {"intermediate_size", static_cast<int64_t>(encoder.mlp_ratios.front() *
                                                     static_cast<double>(encoder.dims.front()))},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", 0.0},
          {"attention_probs_dropout_prob", 0.0},
          {"layer_norm_eps", encoder.norm_epsilon},
          {"qkv_bias", true},
          {"image_size", image[0] == image[1] ? json(image[0]) : json(image)},
          {"patch_size", architecture.encoder.patch_side()},
          {"num_channels", recipe.data.channels},
          {"torch_dtype", "float32"}};
}

json preprocessor_config(const recipe::Recipe& recipe) {
  constexpr int kBicubic = 3;  // Pillow's constant
  return {{"image_processor_type", "ViTImageProcessor"},
          {"do_resize", true},
          {"size", {{"height", recipe.data.image_size[0]}, {"width", recipe.data.image_size[1]}}},
          {"resample", kBicubic},
          {"do_rescale", true},
          {"rescale_factor", 1.0 / 255},
          {"do_normalize", true},
          {"image_mean", recipe.data.mean},
          {"image_std", recipe.data.stddev}};
}

// timm's and transformers' Swins have a single MLP ratio and double the channels at every stage;
// transformers' also has a single window size.
void refuse_uneven_swin(const std::string& format, const recipe::Recipe& recipe,
                        std::span<const TensorView> tensors) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  for (size_t s = 0; s < encoder.dims.size(); ++s) {
    if (encoder.mlp_ratios[s] == encoder.mlp_ratios[0] && encoder.dims[s] == encoder.dims[0] << s) {
      continue;
    }
    fail(ExitCode::kUsage,
         "--to {}: its Swin doubles its channels from stage to stage and has one mlp_ratio; use "
         "--to "
         "encoder or --to safetensors",
         format);
  }
  const int64_t rows = rows_of_table(encoder.window);
  for (const TensorView& tensor : tensors) {
    const bool smaller = tensor.name.ends_with(kRelativeTable) && tensor.shape.at(0) != rows;
    if (format != "transformers" || !smaller) continue;
    fail(ExitCode::kUsage,
         "--to transformers: {} is of a smaller window than encoder.window = {}, where SwinModel "
         "has "
         "one for all stages; use --to timm",
         tensor.name, encoder.window);
  }
}

// ViTModel pools by reading the class token after the last norm and has no other pooling.
void refuse_mean_token(const Architecture& architecture) {
  if (architecture.kind == "swin") return;
  if (!architecture.fc_norm && architecture.norm) return;
  fail(ExitCode::kUsage,
       "--to transformers: this classifier takes the mean of all patches (fc_norm), for which "
       "ViTModel has no place; use --to timm");
}

}  // namespace

bool is_backbone_format(const std::string& format) {
  return format == "encoder" || format == "timm" || format == "transformers";
}

size_t write_backbone(const std::string& format, const fs::path& out,
                      const checkpoint::Checkpoint& checkpoint, const recipe::Recipe& recipe,
                      const std::string& recipe_text, Reporter& reporter) {
  std::vector<formats::TensorView> tensors = encoder_of(checkpoint);
  const std::optional<Architecture> architecture = recognise(tensors);
  require(architecture.has_value(),
          "write_backbone: expected the {} encoder tensors of {} to be of an encoder this program "
          "knows",
          tensors.size(), checkpoint.path.string());
  Texts texts = {{"recipe", recipe_text}, {kAboutKey, about_text(checkpoint.state)}};
  std::erase_if(texts, [](const auto& one) { return one.second.empty(); });
  if (format == "encoder") {
    write_encoder(out, tensors, texts);
    return tensors.size();
  }
  const bool swin = architecture->kind == "swin";
  if (swin) refuse_uneven_swin(format, recipe, tensors);
  if (architecture->kind != "vit" && !swin) {
    fail(ExitCode::kUsage,
         "--to {}: {} holds a {}, which {} does not have; use --to encoder (the published "
         "programs of ConvMAE) or --to safetensors",
         format, checkpoint.path.string(), architecture->kind, format);
  }
  const auto is_of_head = [](const TensorView& one) {
    return has_role(one.name, {TensorRole::kHead});
  };
  if (format == "timm") {
    const double theirs = swin ? 1e-5 : 1e-6;
    if (recipe.encoder.norm_epsilon != theirs) {
      reporter.warn(fmt::format(
          "encoder.norm_epsilon = {} has no place in timm's configuration, which has {}: "
          "features there differ by rounding or a little more",
          recipe.encoder.norm_epsilon, theirs));
    }
    if (architecture->classes == 0 && std::erase_if(tensors, is_of_head) > 0) {
      reporter.warn("the probe's head is left out: timm has none with batch normalisation");
    }
    if (swin) to_timm_swin(tensors);
    write_folder(out, tensors, timm_config(recipe, *architecture), texts);
    return tensors.size();
  }
  refuse_mean_token(*architecture);
  if (std::erase_if(tensors, is_of_head) > 0) {
    reporter.warn(fmt::format("the classifier's head is left out: {} has none",
                              swin ? "SwinModel" : "ViTModel"));
  }
  const std::vector<formats::TensorView> theirs = as_transformers(tensors);
  write_folder(out, theirs, transformers_config(recipe, *architecture), texts);
  write_file_durably(out / "preprocessor_config.json", preprocessor_config(recipe).dump(2) + "\n",
                     ExitCode::kCheckpoint, "checkpoint");
  return theirs.size();
}

}  // namespace fcm::interop
