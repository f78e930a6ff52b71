#include "fcm/interop/backbone.h"

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/transformers.h"
#include "fcm/interop/tensor_roles.h"

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

void write_encoder(const fs::path& out, const std::vector<formats::TensorView>& tensors,
                   const std::string& recipe_text) {
  formats::Value::Dict model, root;
  model.ordered = true;
  for (size_t i = 0; i < tensors.size(); ++i) {
    model.items.push_back(
        {formats::Value{tensors[i].name}, formats::Value{formats::Value::Tensor{i, false}}});
  }
  root.items.push_back({formats::Value{std::string("model")}, formats::Value{std::move(model)}});
  if (!recipe_text.empty())
    root.items.push_back({formats::Value{std::string("recipe")}, formats::Value{recipe_text}});
  formats::write_pth(out, formats::Value{std::move(root)}, tensors);
}

void write_folder(const fs::path& out, const std::vector<formats::TensorView>& tensors,
                  const json& config, const std::string& recipe_text) {
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (!recipe_text.empty()) metadata["recipe"] = recipe_text;
  make_folders(out, ExitCode::kCheckpoint, "checkpoint");
  formats::write_safetensors(out / "model.safetensors", tensors, metadata);
  write_file_durably(out / "config.json", config.dump(2) + "\n", ExitCode::kCheckpoint,
                     "checkpoint");
}

struct Sizes {
  int64_t dim, depth, heads;
};

Sizes sizes_of(const recipe::Recipe& recipe) {
  return {recipe.encoder.dims.front(), recipe.encoder.depths.front(), recipe.encoder.heads};
}

// timm's name for these sizes; others are vit_base with sizes of its own in model_args.
std::string timm_name(const Sizes& sizes) {
  struct Named {
    const char* name;
    Sizes sizes;
  };
  constexpr std::array kNamed = {
      Named{"vit_tiny_patch16_224", {192, 12, 3}}, Named{"vit_small_patch16_224", {384, 12, 6}},
      Named{"vit_base_patch16_224", {768, 12, 12}}, Named{"vit_large_patch16_224", {1024, 24, 16}},
      Named{"vit_huge_patch14_224", {1280, 32, 16}}};
  for (const Named& named : kNamed) {
    if (named.sizes.dim == sizes.dim && named.sizes.depth == sizes.depth &&
        named.sizes.heads == sizes.heads) {
      return named.name;
    }
  }
  return "vit_base_patch16_224";
}

// Read by timm.create_model("local-dir:FOLDER"). Always with model_args: the sizes then do not hang
// on a name.
json timm_config(const recipe::Recipe& recipe, const Architecture& architecture) {
  const Sizes sizes = sizes_of(recipe);
  const int64_t patch = architecture.patch_side();
  const auto& image = recipe.data.image_size;
  const std::string pool = architecture.fc_norm ? "avg" : "token";
  return {{"architecture", timm_name(sizes)},
          {"num_classes", architecture.classes},
          {"num_features", sizes.dim},
          {"global_pool", pool},
          {"model_args",
           {{"img_size", image},
            {"patch_size", patch},
            {"in_chans", recipe.data.channels},
            {"embed_dim", sizes.dim},
            {"depth", sizes.depth},
            {"num_heads", sizes.heads},
            {"mlp_ratio", recipe.encoder.mlp_ratios.front()},
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
  const Sizes sizes = sizes_of(recipe);
  const auto& image = recipe.data.image_size;
  return {{"model_type", "vit"},
          {"architectures", json::array({"ViTModel"})},
          {"hidden_size", sizes.dim},
          {"num_hidden_layers", sizes.depth},
          {"num_attention_heads", sizes.heads},
          {"intermediate_size", static_cast<int64_t>(recipe.encoder.mlp_ratios.front() *
                                                     static_cast<double>(sizes.dim))},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", 0.0},
          {"attention_probs_dropout_prob", 0.0},
          {"layer_norm_eps", 1e-6},
          {"qkv_bias", true},
          {"image_size", image[0] == image[1] ? json(image[0]) : json(image)},
          {"patch_size", architecture.patch_side()},
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
  require(architecture.has_value(), "a recipe for tensors that are no encoder");
  if (format == "encoder") {
    write_encoder(out, tensors, recipe_text);
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
    if (architecture->classes == 0 && std::erase_if(tensors, is_of_head) > 0) {
      reporter.warn("the probe's head is left out: timm has none with batch normalisation");
    }
    write_folder(out, tensors, timm_config(recipe, *architecture), recipe_text);
    return tensors.size();
  }
  refuse_mean_token(*architecture);
  if (std::erase_if(tensors, is_of_head) > 0) {
    reporter.warn("the classifier's head is left out: ViTModel has none");
  }
  const std::vector<formats::TensorView> theirs = as_transformers(tensors);
  write_folder(out, theirs, transformers_config(recipe, *architecture), recipe_text);
  write_file_durably(out / "preprocessor_config.json", preprocessor_config(recipe).dump(2) + "\n",
                     ExitCode::kCheckpoint, "checkpoint");
  return theirs.size();
}

}  // namespace fcm::interop
