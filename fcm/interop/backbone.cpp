#include "fcm/interop/backbone.h"

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
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
    // The convolutions that fuse stages feed the decoder.
    const bool of_pretraining =
        has_role(tensor.name, {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget});
    if (!of_pretraining) tensors.push_back(tensor);
  }
  sort_as_published(tensors);
  return tensors;
}

// What goes along beside the tensors where it is not empty, by its name.
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
  make_folders(out, ExitCode::kCheckpoint, "checkpoint");
  formats::write_safetensors(out / "model.safetensors", tensors, metadata);
  write_file_durably(out / "config.json", config.dump(2) + "\n", ExitCode::kCheckpoint,
                     "checkpoint");
}

// timm's name for these sizes; others are vit_base with sizes of its own in model_args.
std::string timm_name(const encoder::EncoderOptions& sizes) {
  const bool tiny = sizes.dims.front() == 192 && sizes.depths.front() == 12 && sizes.heads == 3;
  if (tiny) return "vit_tiny_patch16_224";  // a size that has no name here
  const encoder::EncoderOptions* named = encoder::size_like("vit", sizes);
  if (named == nullptr) return "vit_base_patch16_224";
  return fmt::format("vit_{}_patch{}_224", named->size, named->strides.front());
}

// Read by timm.create_model("local-dir:FOLDER"). Always with model_args: the sizes then do not hang
// on a name.
json timm_config(const recipe::Recipe& recipe, const Architecture& architecture) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const int64_t patch = architecture.encoder.patch_side();
  const auto& image = recipe.data.image_size;
  const std::string pool = architecture.fc_norm ? "avg" : "token";
  return {{"architecture", timm_name(encoder)},
          {"num_classes", architecture.classes},
          {"num_features", encoder.dims.front()},
          {"global_pool", pool},
          {"model_args",
           {{"img_size", image},
            {"patch_size", patch},
            {"in_chans", recipe.data.channels},
            {"embed_dim", encoder.dims.front()},
            {"depth", encoder.depths.front()},
            {"num_heads", encoder.heads},
            {"mlp_ratio", encoder.mlp_ratios.front()},
            {"num_classes", architecture.classes},
            {"global_pool", pool}}},
          {"pretrained_cfg",
           {{"custom_load", false},
            {"input_size", {recipe.data.channels, image[0], image[1]}},
            {"fixed_input_size", true},
            {"interpolation", "bicubic"},
            {"crop_pct", 0.875},
            {"mean", json(recipe.data.mean)},
            {"std", recipe.data.deviation},
            {"num_classes", architecture.classes},
            {"first_conv", "patch_embed.proj"},
            {"classifier", "head"}}}};
}

json transformers_config(const recipe::Recipe& recipe, const Architecture& architecture) {
  const encoder::EncoderOptions& encoder = recipe.encoder;
  const auto& image = recipe.data.image_size;
  return {{"model_type", "vit"},
          {"architectures", json::array({"ViTModel"})},
          {"hidden_size", encoder.dims.front()},
          {"num_hidden_layers", encoder.depths.front()},
          {"num_attention_heads", encoder.heads},
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
  constexpr int kBicubic = 3;  // Pillow's number
  return {{"image_processor_type", "ViTImageProcessor"},
          {"do_resize", true},
          {"size", {{"height", recipe.data.image_size[0]}, {"width", recipe.data.image_size[1]}}},
          {"resample", kBicubic},
          {"do_rescale", true},
          {"rescale_factor", 1.0 / 255},
          {"do_normalize", true},
          {"image_mean", recipe.data.mean},
          {"image_std", recipe.data.deviation}};
}

// ViTModel classifies by the class token behind its last norm, and knows no other head.
void refuse_mean_token(const Architecture& architecture) {
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
          "write_backbone: the {} encoder tensors of {} are of no encoder this program "
          "knows",
          tensors.size(), checkpoint.path.string());
  Texts texts = {{"recipe", recipe_text}, {kAboutKey, about_text(checkpoint.state)}};
  std::erase_if(texts, [](const auto& one) { return one.second.empty(); });
  if (format == "encoder") {
    write_encoder(out, tensors, texts);
    return tensors.size();
  }
  if (architecture->kind != "vit") {
    fail(ExitCode::kUsage,
         "--to {}: {} holds a {}, which {} does not have; use --to encoder (the published "
         "programs of ConvMAE) or --to safetensors",
         format, checkpoint.path.string(), architecture->kind, format);
  }
  const auto is_of_head = [](const TensorView& one) {
    return has_role(one.name, {TensorRole::kHead});
  };
  if (format == "timm") {
    if (recipe.encoder.norm_epsilon != 1e-6) {
      reporter.warn(fmt::format(
          "encoder.norm_epsilon = {} has no place in timm's configuration, which has 1e-06: "
          "features there differ by rounding or a little more",
          recipe.encoder.norm_epsilon));
    }
    if (architecture->classes == 0 && std::erase_if(tensors, is_of_head) > 0) {
      reporter.warn("the probe's head is left out: timm has none with batch normalisation");
    }
    write_folder(out, tensors, timm_config(recipe, *architecture), texts);
    return tensors.size();
  }
  refuse_mean_token(*architecture);
  if (std::erase_if(tensors, is_of_head) > 0) {
    reporter.warn("the classifier's head is left out: ViTModel has none");
  }
  const std::vector<formats::TensorView> theirs = as_transformers(tensors);
  write_folder(out, theirs, transformers_config(recipe, *architecture), texts);
  write_file_durably(out / "preprocessor_config.json", preprocessor_config(recipe).dump(2) + "\n",
                     ExitCode::kCheckpoint, "checkpoint");
  return theirs.size();
}

}  // namespace fcm::interop
