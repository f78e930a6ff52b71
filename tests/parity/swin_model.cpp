#include "tests/parity/swin_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <regex>

#include "fcm/base/error.h"
#include "fcm/nn/layers.h"
#include "reference/procedural.h"

namespace fcm::parity {
namespace {

std::string repository(const Entry& entry) {
  const nlohmann::json source = entry.about.value("source", nlohmann::json());
  return source.is_object() ? source.value("repo", "") : "";
}

// The manifest's constructor or, for a checkpoint without one, the configuration stored next to it.
nlohmann::json constructor_of(const Entry& entry) {
  nlohmann::json constructor = entry.about.value("constructor", nlohmann::json::object());
  if (constructor.contains("embed_dim")) return constructor;
  const nlohmann::json config =
      read_json(entry.path().parent_path() / (entry.stem() + ".expected.json")).at("config");
  const nlohmann::json& swin = config.at("MODEL").at("SWIN");
  return {{"img_size", config.at("DATA").at("IMG_SIZE")},
          {"embed_dim", swin.at("EMBED_DIM")},
          {"depths", swin.at("DEPTHS")},
          {"num_heads", swin.at("NUM_HEADS")},
          {"window_size", swin.at("WINDOW_SIZE")},
          {"mlp_ratio", swin.at("MLP_RATIO")}};
}

}  // namespace

bool is_swin(const Entry& entry) {
  const std::string repo = repository(entry);
  return repo.find("SimMIM") != std::string::npos || repo.find("GreenMIM") != std::string::npos;
}

SwinModel swin_model(const Entry& entry) {
  SwinModel model;
  reference::SwinOptions& options = model.options;
  const nlohmann::json source = entry.about.at("source");
  const std::string files = source.value("file", "");
  if (repository(entry).find("GreenMIM") != std::string::npos) {
    model.program = SwinProgram::kGreenMim;
    options.norm_epsilon = 1e-6;
  } else if (files.find("simmim") == std::string::npos) {
    model.program = SwinProgram::kClassifier;
  }
  const nlohmann::json constructor = constructor_of(entry);
  const nlohmann::json& size = constructor.at("img_size");
  options.rows = size.is_array() ? size[0].get<int64_t>() : size.get<int64_t>();
  options.cols = size.is_array() ? size[1].get<int64_t>() : size.get<int64_t>();
  options.dim = constructor.at("embed_dim");
  options.depths = constructor.at("depths").get<std::vector<int64_t>>();
  options.heads = constructor.at("num_heads").get<std::vector<int64_t>>();
  options.window = constructor.at("window_size");
  options.mlp_ratio = constructor.at("mlp_ratio");
  options.classes = constructor.value("num_classes", int64_t{0});
  if (constructor.contains("decoder")) {
    const nlohmann::json& decoder = constructor.at("decoder");
    options.decoder_dim = decoder.at("dim");
    options.decoder_depth = decoder.at("depth");
    options.decoder_heads = decoder.at("heads");
    options.decoder_mlp_ratio = decoder.at("mlp_ratio");
  }
  return model;
}

int64_t SwinModel::blocks() const {
  const int64_t encoder = std::accumulate(options.depths.begin(), options.depths.end(), int64_t{0});
  return encoder + (program == SwinProgram::kGreenMim ? options.decoder_depth : 0);
}

NamesAndShapes SwinModel::parameters() const {
  if (program == SwinProgram::kSimMim) return reference::simmim_names_and_shapes(options);
  if (program == SwinProgram::kGreenMim) return reference::green_mim_names_and_shapes(options);
  return reference::swin_classifier_names_and_shapes(options);
}

encoder::EncoderOptions SwinModel::encoder() const {
  encoder::EncoderOptions result;
  const size_t stages = options.depths.size();
  result.strides.assign(stages, 2);
  result.strides[0] = options.patch;
  result.dims.clear();
  for (size_t s = 0; s < stages; ++s) result.dims.push_back(options.dim << s);
  result.depths = options.depths;
  result.heads = options.heads;
  result.mlp_ratios.assign(stages, options.mlp_ratio);
  result.norm_epsilon = options.norm_epsilon;
  result.window = options.window;
  return result;
}

models::AutoencoderOptions SwinModel::autoencoder() const {
  models::AutoencoderOptions result;
  result.kind = "swin";
  result.encoder = encoder();
  result.rows = options.rows;
  result.cols = options.cols;
  if (program == SwinProgram::kSimMim) {
    result.decoder.kind = "linear";
    result.targets.norm_pix = false;
    result.targets.pixel_loss = "l1";
    return result;
  }
  result.decoder = {options.decoder_dim, options.decoder_depth, options.decoder_heads,
                    options.decoder_mlp_ratio};
  result.decoder.kind = options.shuffled ? "transformer_shuffled" : "transformer";
  result.targets.norm_pix = options.norm_pix;
  return result;
}

models::ClassifierOptions SwinModel::classifier() const {
  models::ClassifierOptions result;
  result.kind = "swin";
  result.encoder = encoder();
  result.rows = options.rows;
  result.cols = options.cols;
  result.classes = options.classes;
  return result;
}

std::string name_in_file(SwinProgram program, const std::string& name) {
  if (program == SwinProgram::kClassifier) return name;
  if (program == SwinProgram::kSimMim && name.starts_with("decoder_pred.")) {
    return "decoder.0." + name.substr(13);
  }
  const bool of_encoder = name.starts_with("patch_embed.") || name.starts_with("layers.") ||
                          name.starts_with("norm.") ||
                          (name == "mask_token" && program == SwinProgram::kSimMim);
  return of_encoder ? "encoder." + name : name;
}

namespace {

// The quoted words of a manifest text such as "encoder tensors whose name contains one of
// ('patch_embed.norm.', ...) multiplied by 2^-7". Empty without such a text.
std::vector<std::string> shrunk_names(const Entry& entry) {
  const std::string text = entry.about.value("shrunk", "");
  std::vector<std::string> names;
  const std::regex quoted(R"('([^']+)')");
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) {
    names.push_back((*at)[1]);
  }
  return names;
}

at::Tensor weight_of(const Entry& entry, const SwinModel& model, const std::string& name,
                     const std::vector<int64_t>& shape, const std::vector<std::string>& shrunk) {
  const reference::SwinOptions& options = model.options;
  if (name == "decoder_pos_embed") {
    return nn::sincos_positions(options.rows / options.unit(), options.cols / options.unit(),
                                shape.back());
  }
  const std::string in_file = name_in_file(model.program, name);
  at::Tensor value =
      reference::procedural(in_file, entry.about.value("weight_seed", uint64_t{0}), shape);
  const bool small = std::any_of(shrunk.begin(), shrunk.end(), [&](const std::string& part) {
    return in_file.find(part) != std::string::npos && in_file.starts_with("encoder.");
  });
  return small ? value * 0x1p-7 : value;
}

}  // namespace

SwinInputs swin_inputs(const Entry& entry, const SwinModel& model, const Tensors& stored) {
  const reference::SwinOptions& options = model.options;
  SwinInputs inputs;
  const std::vector<std::string> shrunk = shrunk_names(entry);
  for (const auto& [name, shape] : model.parameters()) {
    inputs.weights[name] = weight_of(entry, model, name, shape, shrunk);
  }
  const uint64_t seed = entry.about.value("weight_seed", uint64_t{0});
  const ProceduralText images = parse_procedural(entry.about.value("images", ""), seed);
  const int64_t batch = images.shape.empty() ? 2 : images.shape.front();
  inputs.images_BCHW = reference::procedural("images", images.seed,
                                             {batch, options.channels, options.rows, options.cols});
  if (model.program == SwinProgram::kSimMim) {
    // In each image the patches with the lowest procedural values are hidden.
    const int64_t pixels = options.depths.size() == 2 ? 16 : options.unit();
    const int64_t side = options.rows / pixels, cells = pixels / options.patch;
    const auto hidden = static_cast<int64_t>(
        std::ceil(static_cast<double>(side * side) * entry.about.value("mask_ratio", 0.6)));
    const at::Tensor rank = reference::procedural("mask", seed, {batch, side * side})
                                .argsort(/*dim=*/int64_t{1})
                                .argsort(/*dim=*/int64_t{1});
    inputs.mask_Bhw = (rank < hidden)
                          .to(at::kLong)
                          .view({batch, side, side})
                          .repeat_interleave(cells, 1)
                          .repeat_interleave(cells, 2);
  } else if (model.program == SwinProgram::kGreenMim) {
    const auto noise = stored.find("noise");
    inputs.noise_L = noise != stored.end()
                         ? noise->second.flatten()
                         : reference::procedural("noise", seed, {1, options.units()}).flatten();
    const double ratio = entry.about.value("mask_ratio", 0.75);
    inputs.kept = static_cast<int64_t>(static_cast<double>(options.units()) * (1 - ratio));
  } else {
    if (stored.contains("labels")) inputs.labels_B = stored.at("labels");
    if (stored.contains("targets")) inputs.targets_BC = stored.at("targets");
  }
  return inputs;
}

}  // namespace fcm::parity
