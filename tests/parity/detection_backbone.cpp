#include "tests/parity/detection_backbone.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/encoder/maps.h"
#include "fcm/ops/patchify/op.h"
#include "reference/detector_backbone.h"
#include "reference/procedural.h"
#include "tests/parity/segmentation_head.h"

namespace fcm::parity {
namespace {

constexpr const char* kPositions = "pos_embed";

models::DetectorBackboneOptions backbone_options(const Entry& entry) {
  const nlohmann::json& about = entry.about;
  models::DetectorBackboneOptions options;
  const nlohmann::json& image = about.at("image");
  options.rows = image.is_array() ? image[0].get<int64_t>() : image.get<int64_t>();
  options.cols = image.is_array() ? image[1].get<int64_t>() : image.get<int64_t>();
  options.window = about.at("window_size");
  if (about.at("embed_dim").is_array()) {
    options.encoder.dims = about.at("embed_dim").get<std::vector<int64_t>>();
    options.encoder.depths = about.at("depth").get<std::vector<int64_t>>();
  } else {
    options.kind = "vit";
    options.encoder = {"custom", {16}, {about.at("embed_dim")}, {about.at("depth")}, 12, {4}};
    options.global_blocks = {2, 5, 8, 11};
  }
  options.encoder.heads = about.at("num_heads").get<int64_t>();
  if (about.contains("global_blocks")) {
    options.form = models::BackboneForm::kDecomposed;
    options.global_blocks = about.at("global_blocks").get<std::vector<int64_t>>();
  }
  return options;
}

struct MadeBackbone {
  MadeBackbone(const BackboneCase& c, at::ScalarType type)
      : parameters(0, type), backbone(scope_of(c), c.options) {
    parameters.flatten();
  }
  // The name prefix "backbone.bottom_up." becomes two nested scopes.
  nn::Scope scope_of(const BackboneCase& c) {
    nn::Scope scope(parameters);
    std::string rest = c.prefix + c.stored_prefix;
    for (size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
      scope = scope / rest.substr(0, dot);
      rest = rest.substr(dot + 1);
    }
    return scope;
  }
  nn::Parameters parameters;
  models::DetectorBackbone backbone;
};

// Names and shapes of the parameters of the layers after the backbone: transposed convolutions,
// norms, convolutions.
std::map<std::string, std::vector<int64_t>> shapes_after_backbone(const BackboneCase& c) {
  const int64_t dim = c.options.encoder.dims.back();
  std::map<std::string, std::vector<int64_t>> shapes;
  const auto add = [&](const std::string& name, std::vector<int64_t> weight, int64_t bias) {
    shapes[name + ".weight"] = std::move(weight);
    if (bias > 0) shapes[name + ".bias"] = {bias};
  };
  if (c.options.kind == "vit") {
    add("ms_adaptor.0.0", {dim, dim, 2, 2}, dim);
    add("ms_adaptor.0.1", {dim}, dim);
    add("ms_adaptor.0.3", {dim, dim, 2, 2}, dim);
    add("ms_adaptor.1", {dim, dim, 2, 2}, dim);
  } else if (c.options.form == models::BackboneForm::kDecomposed) {
    const int64_t out = c.stored.at("grad.simfp_4.0.norm.bias").size(0);
    add("simfp_2.0", {dim, dim / 2, 2, 2}, dim / 2);
    add("simfp_2.1", {dim / 2}, dim / 2);
    add("simfp_2.3", {dim / 2, dim / 4, 2, 2}, dim / 4);
    add("simfp_3.0", {dim, dim / 2, 2, 2}, dim / 2);
    for (const auto& [name, in] :
         std::vector<std::pair<std::string, int64_t>>{{"simfp_2.4", dim / 4},
                                                      {"simfp_3.1", dim / 2},
                                                      {"simfp_4.0", dim},
                                                      {"simfp_5.1", dim}}) {
      add(name, {out, in, 1, 1}, 0);
      add(name + ".norm", {out}, out);
    }
    for (const char* name : {"simfp_2.5", "simfp_3.2", "simfp_4.1", "simfp_5.2"}) {
      add(name, {out, out, 3, 3}, 0);
      add(name + std::string(".norm"), {out}, out);
    }
  }
  return shapes;
}

// Reorders the tokens of each window from plan order to raster order. [N, window^2, C]
at::Tensor raster_in_windows(const at::Tensor& x_NWC, int64_t window) {
  const at::Tensor order =
      masks::plan_of_windows(1, {window, window}, window).order_BL[0].argsort();
  return x_NWC.index_select(1, order);
}

class FastBackbone final : public BackbonePath {
 public:
  FastBackbone(const BackboneCase& c, Types types)
      : case_(c), types_(types), made_(c, types.parameters) {
    set_weights(made_.parameters, c.weights);
  }

  Output run(const at::Tensor& images_BCHW, const nn::DropPath& drop_path) override {
    Output output;
    const masks::ViewPlan plan = made_.backbone.plan(images_BCHW.size(0));
    const nn::Observer observer = [&](const std::string& name, const at::Tensor& x) {
      output.activations[case_.stored_prefix + name] = published(name, x.detach(), plan);
    };
    const at::Tensor pixels = ops::patchify_normalised(images_BCHW.to(types_.parameters),
                                                       plan.order_BL, made_.backbone.geometry());
    for (const at::Tensor& map_BHWC :
         made_.backbone(pixels, plan, types_.compute, drop_path, observer)) {
      output.maps_BCHW.push_back(map_BHWC.permute({0, 3, 1, 2}));
    }
    return output;
  }
  std::map<std::string, at::Tensor> gradients() const override {
    std::map<std::string, at::Tensor> found;
    for (const nn::Parameter& parameter : made_.parameters.all()) {
      if (!parameter.trainable) continue;
      found[parameter.name] =
          nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    }
    return found;
  }

 private:
  // Converts the activation of a module to upstream's layout.
  at::Tensor published(const std::string& name, const at::Tensor& x,
                       const masks::ViewPlan& plan) const {
    const bool blocks = name.starts_with("blocks3") || name.starts_with("blocks.");
    if (blocks && x.size(1) != plan.patches()) return raster_in_windows(x, case_.options.window);
    const at::Tensor raster = encoder::in_raster_order(x, plan);
    if (blocks || name.ends_with("_in") || name == "patch_embed4" || name == "patch_embed") {
      return raster;
    }
    const int64_t stage = name.starts_with("patch_embed1") || name.starts_with("blocks1")   ? 0
                          : name.starts_with("patch_embed2") || name.starts_with("blocks2") ? 1
                                                                                            : 2;
    const at::Tensor cells = stage == 2 ? raster.unsqueeze(2) : raster;
    return encoder::map_of_stage(cells, plan.grid, made_.backbone.geometry(), stage)
        .permute({0, 3, 1, 2})
        .contiguous();
  }

  const BackboneCase& case_;
  Types types_;
  MadeBackbone made_;
};

class PlainBackbone final : public BackbonePath {
 public:
  PlainBackbone(const BackboneCase& c, Types types) : case_(c), types_(types) {
    for (const auto& [name, value] : c.weights) {
      weights_[name] =
          value.to(types.parameters, /*non_blocking=*/false, /*copy=*/true).set_requires_grad(true);
    }
    static_cast<reference::EncoderSizes&>(options_) = reference::encoder_sizes(c.options);
    options_.decomposed = c.options.form == models::BackboneForm::kDecomposed;
    options_.window = c.options.window;
    options_.global_blocks = c.options.global_blocks;
    options_.compute = types.compute;
  }

  Output run(const at::Tensor& images_BCHW, const nn::DropPath& drop_path) override {
    Output output;
    const nn::Observer observer = [&](const std::string& name, const at::Tensor& x) {
      if (name.starts_with(case_.prefix)) {
        output.activations[name.substr(case_.prefix.size())] = x.detach();
      }
    };
    output.maps_BCHW =
        reference::detector_backbone(weights_, options_, case_.prefix + case_.stored_prefix,
                                     images_BCHW.to(types_.parameters), drop_path, observer);
    return output;
  }
  std::map<std::string, at::Tensor> gradients() const override {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, value] : weights_) found[name] = value.grad();
    return found;
  }

 private:
  const BackboneCase& case_;
  Types types_;
  reference::Weights weights_;
  reference::DetectorBackboneOptions options_;
};

// The layers of a pyramid, by the names of their parameters.
struct Pyramid {
  const reference::Weights& weights;
  std::string prefix;

  const at::Tensor& get(const std::string& name) const { return weights.at(prefix + name); }
  at::Tensor deconv(const std::string& name, const at::Tensor& x) const {
    return at::conv_transpose2d(x, get(name + ".weight"), get(name + ".bias"), {2, 2});
  }
  at::Tensor channel_norm(const std::string& name, const at::Tensor& x) const {
    const at::Tensor& weight = get(name + ".weight");
    return at::layer_norm(x.permute({0, 2, 3, 1}), {weight.size(0)}, weight, get(name + ".bias"),
                          1e-6)
        .permute({0, 3, 1, 2});
  }
  at::Tensor conv(const std::string& name, const at::Tensor& x) const {
    const at::Tensor& weight = get(name + ".weight");
    const int64_t padding = weight.size(2) / 2;
    return channel_norm(name + ".norm", at::conv2d(x, weight, {}, {1, 1}, {padding, padding}));
  }
};

NamedMaps adapted(const Pyramid& layers, const std::vector<at::Tensor>& maps) {
  const at::Tensor half = layers.deconv("ms_adaptor.0.0", maps[0]);
  const at::Tensor normed = at::group_norm(half, 32, layers.get("ms_adaptor.0.1.weight"),
                                           layers.get("ms_adaptor.0.1.bias"), 1e-5);
  return {{"s0", layers.deconv("ms_adaptor.0.3", at::gelu(normed))},
          {"s1", layers.deconv("ms_adaptor.1", maps[1])},
          {"s2", maps[2]},
          {"s3", at::max_pool2d(maps[3], {2, 2})}};
}

NamedMaps simple_pyramid(const Pyramid& layers, const at::Tensor& map) {
  const at::Tensor half =
      at::gelu(layers.channel_norm("simfp_2.1", layers.deconv("simfp_2.0", map)));
  const at::Tensor p5 =
      layers.conv("simfp_5.2", layers.conv("simfp_5.1", at::max_pool2d(map, {2, 2})));
  return {
      {"p2", layers.conv("simfp_2.5", layers.conv("simfp_2.4", layers.deconv("simfp_2.3", half)))},
      {"p3", layers.conv("simfp_3.2", layers.conv("simfp_3.1", layers.deconv("simfp_3.0", map)))},
      {"p4", layers.conv("simfp_4.1", layers.conv("simfp_4.0", map))},
      {"p5", p5},
      {"p6", at::max_pool2d(p5, {1, 1}, {2, 2})}};
}

}  // namespace

BackboneCase backbone_case(const Entry& entry, const Request& request) {
  BackboneCase c;
  c.stored = read_tensors(entry.path());
  c.options = backbone_options(entry);
  c.prefix = entry.about.at("prefix");
  c.batch = entry.about.at("batch");
  c.seed = entry.about.at("weight_seed");
  if (c.options.form == models::BackboneForm::kDecomposed) {
    c.stored_prefix = std::string(models::backbone_place(c.options.form)) + ".";
  }
  const MadeBackbone made(c, at::kFloat);
  Inputs inputs;  // request.mistake may change them
  for (const nn::Parameter& parameter : made.parameters.all()) {
    inputs.weights[parameter.name] =
        parameter.name.ends_with(kPositions)
            ? parameter.value.detach().clone()  // initial values
            : reference::procedural(parameter.name, c.seed, parameter.published_shape);
  }
  if (request.mistake) request.mistake(inputs);
  c.weights = inputs.weights;
  for (const auto& [name, shape] : shapes_after_backbone(c)) {
    c.weights_after_backbone[c.prefix + name] =
        reference::procedural(c.prefix + name, c.seed, shape);
  }
  return c;
}

std::unique_ptr<BackbonePath> backbone_path(const BackboneCase& c, Path path, Types types) {
  if (path == Path::kFast) return std::make_unique<FastBackbone>(c, types);
  return std::make_unique<PlainBackbone>(c, types);
}

NamedMaps neck_maps(const BackboneCase& c, const reference::Weights& weights_after_backbone,
                    const std::vector<at::Tensor>& maps_BCHW) {
  const Pyramid layers{weights_after_backbone, c.prefix};
  if (c.options.kind == "vit") return adapted(layers, maps_BCHW);
  if (maps_BCHW.size() == 1) return simple_pyramid(layers, maps_BCHW[0]);
  NamedMaps maps;
  for (const at::Tensor& map : maps_BCHW) maps.emplace_back(fmt::format("s{}", maps.size()), map);
  return maps;
}

}  // namespace fcm::parity
