#include "tests/parity/published_model.h"

#include <ATen/ATen.h>

#include <map>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/nn/layers.h"
#include "reference/procedural.h"

namespace fcm::parity {
namespace {

using reference::ReferenceOptions;

// The family that a models_*.py file of an upstream repository defines.
Family family_of(const nlohmann::json& about) {
  const nlohmann::json source = about.value("source", nlohmann::json::object());
  const std::string files = source.value("file", source.value("files", ""));
  const std::vector<std::pair<const char*, Family>> known{
      {"models_fastconvmae.py", Family::kFastConvMae},
      {"models_convmae.py", Family::kConvMae},
      {"models_mae.py", Family::kMae},
      {"models_convvit.py", Family::kConvVit},
      {"models_vit.py", Family::kVit}};
  for (const auto& [file, family] : known) {
    if (files.find(file) != std::string::npos) return family;
  }
  fail(ExitCode::kData, "the source \"{}\" defines no model that this program knows", files);
}

// Sets the encoder's sizes to those of an upstream factory. The decoder keeps its default, 512 wide
// with 8 blocks, as in every factory. Models without a class token have only the base size.
void set_named_size(const std::string& factory, PublishedModel& model) {
  std::string size = model.class_token() ? "" : "base";
  for (const char* name : {"base", "large", "huge"}) {
    if (model.class_token() && factory.find(fmt::format("_{}_", name)) != std::string::npos) {
      size = name;
    }
  }
  if (size.empty()) fail(ExitCode::kData, "the upstream factory {} is not known", factory);
  const encoder::EncoderOptions named = encoder::named_size(model.kind(), size);
  ReferenceOptions& options = model.options;
  options.strides = named.strides;
  options.dims = named.dims;
  options.depths = named.depths;
  options.heads = named.heads.last();
  options.mlp_ratios = named.mlp_ratios;
}

// Reads a list of numbers; a single number is a list of one.
template <typename T>
std::vector<T> list(const nlohmann::json& value) {
  if (value.is_array()) return value.get<std::vector<T>>();
  return {value.get<T>()};
}

void set_arguments(const nlohmann::json& arguments, PublishedModel& model) {
  ReferenceOptions& options = model.options;
  const auto integers = [&](const char* key, std::vector<int64_t>& values) {
    if (arguments.contains(key)) values = list<int64_t>(arguments.at(key));
  };
  if (arguments.contains("img_size")) {
    options.rows = options.cols = list<int64_t>(arguments.at("img_size")).front();
  }
  integers("patch_size", options.strides);
  integers("embed_dim", options.dims);
  integers("depth", options.depths);
  options.heads = arguments.value("num_heads", options.heads);
  if (arguments.contains("mlp_ratio")) options.mlp_ratios = list<double>(arguments["mlp_ratio"]);
  options.decoder_dim = arguments.value("decoder_embed_dim", options.decoder_dim);
  options.decoder_heads = arguments.value("decoder_num_heads", options.decoder_heads);
  // Upstream FastConvMAE overwrites this argument with 8.
  if (model.family != Family::kFastConvMae) {
    options.decoder_depth = arguments.value("decoder_depth", options.decoder_depth);
  }
  options.decoder_mlp_ratio = options.mlp_ratios.front();
  model.classes = arguments.value("num_classes", model.classes);
  model.global_pool = arguments.value("global_pool", model.global_pool);
}

bool is_position_table(const std::string& name) {
  return name == "pos_embed" || name == "decoder_pos_embed";
}

at::Tensor position_table(const PublishedModel& model, const std::vector<int64_t>& shape) {
  return nn::sincos_positions(model.options.grid_rows(), model.options.grid_cols(), shape.back(),
                              model.class_token() ? 1 : 0);
}

// The file of kind "state" with the same stem, if the manifest has one.
Tensors state_beside(const Entry& entry) {
  const std::filesystem::path path =
      entry.path().parent_path() / (entry.stem() + ".state.safetensors");
  return std::filesystem::exists(path) ? read_tensors(path) : Tensors{};
}

}  // namespace

std::vector<int64_t> PublishedModel::view_sizes() const {
  const int64_t patches = options.patches();
  const auto size = static_cast<int64_t>(static_cast<double>(patches) * (1 - mask_ratio));
  if (family != Family::kFastConvMae) return {size, patches - size};
  return {size, size, size, patches - 3 * size};
}

models::AutoencoderOptions PublishedModel::autoencoder() const {
  models::AutoencoderOptions result;
  result.kind = kind();
  result.encoder = {"custom",       options.strides, options.dims,
                    options.depths, options.heads,   options.mlp_ratios};
  result.decoder = {options.decoder_dim, options.decoder_depth, options.decoder_heads,
                    options.decoder_mlp_ratio};
  result.targets.norm_pix = options.norm_pix;
  result.targets.variance_epsilon = options.variance_epsilon;
  result.rows = options.rows;
  result.cols = options.cols;
  result.channels = options.channels;
  return result;
}

PublishedModel published_model(const nlohmann::json& about) {
  PublishedModel model;
  model.family = family_of(about);
  model.options.kind = reference::kind_named(model.kind());
  if (model.class_token()) {  // defaults of the upstream constructors
    model.options.strides = {16};
    model.options.mlp_ratios = {4};
  }
  const nlohmann::json constructor = about.value("constructor", nlohmann::json::object());
  const std::string factory =
      about.value("source", nlohmann::json::object()).value("cls", std::string());
  if (!constructor.is_object() || !constructor.contains("embed_dim")) {
    set_named_size(factory, model);
    model.options.decoder_mlp_ratio = 4;
  }
  if (constructor.is_object()) set_arguments(constructor, model);
  model.mask_ratio = about.value("mask_ratio", model.mask_ratio);
  return model;
}

Inputs make_inputs(const Entry& entry, const PublishedModel& model, const NamesAndShapes& names,
                   const Tensors& stored) {
  const uint64_t seed = entry.about.value("weight_seed", uint64_t{0});
  const Tensors state = state_beside(entry);
  Inputs inputs;
  for (const auto& [name, shape] : names) {
    const auto in_state = state.find(name), in_file = stored.find("state." + name);
    if (in_state != state.end()) {
      inputs.weights[name] = in_state->second.reshape(shape);
    } else if (in_file != stored.end()) {
      inputs.weights[name] = in_file->second.reshape(shape);
    } else if (is_position_table(name)) {
      inputs.weights[name] = position_table(model, shape);
    } else {
      inputs.weights[name] = reference::procedural(name, seed, shape);
    }
  }
  // Images and noise that the manifest calls procedural are computed even if they are stored too;
  // the cases then compare the stored ones with them.
  const auto given = [&](const char* name) {
    const auto found = stored.find(name);
    const bool made = entry.about.value(name, "").starts_with("procedural");
    return found == stored.end() || made ? at::Tensor() : found->second;
  };
  const ProceduralText images = parse_procedural(entry.about.value("images", ""), seed);
  const ProceduralText noise = parse_procedural(entry.about.value("noise", ""), seed);
  const std::vector<int64_t> image{model.options.channels, model.options.rows, model.options.cols};
  std::vector<int64_t> shape = images.shape;
  if (shape.size() < 4) {  // the manifest gives only the number of images
    shape.resize(1, 2);
    shape.insert(shape.end(), image.begin(), image.end());
  }
  inputs.images_BCHW = given("images");
  if (!inputs.images_BCHW.defined()) {
    inputs.images_BCHW = reference::procedural("images", images.seed, shape);
  }
  inputs.noise_BL = given("noise");
  if (!inputs.noise_BL.defined()) {
    inputs.noise_BL = reference::procedural("noise", noise.seed,
                                            {inputs.images_BCHW.size(0), model.options.patches()});
  }
  return inputs;
}

}  // namespace fcm::parity
